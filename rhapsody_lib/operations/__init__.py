"""One public function a step: settings and refs in, result out; each touches at most one framework."""
