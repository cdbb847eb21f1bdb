"""The LSTM on processors with TensorFlow: the same as Keras's own layer, in fewer and larger products.

Keras multiplies inputs and states step by step, and adds up the gradient of the weights step by step. Here the inputs
of all steps are one product, and so is the gradient; only the states' product stays within the loop. State and gates
are float32 in any precision. A saved state of one layer goes into the other: same weights, same order.
"""

from __future__ import annotations

from typing import Any


def lstm_layer(keras: Any, tensorflow: Any | None, units: int, policy: str) -> Any:
    """A layer of [streams x steps x features] to [streams x steps x units] that carries its state over batches.

    Args:
        keras: the module.
        tensorflow: the module, where the fast layer is to be used; none takes Keras's own, which uses cuDNN on a GPU.
        units: size of the state.
        policy: Keras's name of the precision.
    """
    if tensorflow is None:
        return _keras_layer(keras, units, policy)
    return _fast_layer(keras, tensorflow, units, policy)


def _keras_layer(keras: Any, units: int, policy: str) -> Any:
    class CarryingLSTM(keras.layers.Layer):  # type: ignore[misc]
        """Keras's LSTM, which carries its state itself: its own way to (`stateful`) fails in training on torch."""

        def build(self, shape: Any) -> None:
            self.inner = keras.layers.LSTM(units, return_sequences=True, return_state=True, dtype=policy)
            self.inner.build(shape)
            self.carried = [
                self.add_weight(name=name, shape=(shape[0], units), initializer="zeros", trainable=False)
                for name in ("hidden", "cell")
            ]

        def reset_states(self) -> None:
            """Forget the carried state."""
            for variable in self.carried:
                variable.assign(keras.ops.zeros(variable.shape))

        def call(self, values: Any) -> Any:
            """Features [streams x steps x features] to hidden states [streams x steps x units]."""
            first = [keras.ops.cast(variable, self.compute_dtype) + 0 for variable in self.carried]
            states, *last = self.inner(values, initial_state=first)
            for variable, value in zip(self.carried, last, strict=True):
                variable.assign(keras.ops.cast(keras.ops.stop_gradient(value), "float32"))
            return states

    return CarryingLSTM(dtype=policy)


def _fast_layer(keras: Any, tf: Any, units: int, policy: str) -> Any:
    open_gates = [0.0] * units + [1.0] * units + [0.0] * 2 * units

    class FastLSTM(keras.layers.Layer):  # type: ignore[misc]
        """Weights as in `keras.layers.LSTM`: gates in the order input, forget, candidate, output."""

        def build(self, shape: Any) -> None:
            rows, _, features = shape

            def weight(name: str, size: tuple[int, ...], initializer: Any, trainable: bool = True) -> Any:
                return self.add_weight(
                    name=name, shape=size, initializer=initializer, trainable=trainable, autocast=False
                )

            self.kernel = weight("kernel", (features, 4 * units), "glorot_uniform")
            self.recurrent = weight("recurrent", (units, 4 * units), "orthogonal")
            self.bias = weight("bias", (4 * units,), lambda *_, **__: tf.constant(open_gates))
            self.carried = [weight(name, (rows, units), "zeros", trainable=False) for name in ("hidden", "cell")]

        def reset_states(self) -> None:
            """Forget the carried state."""
            for variable in self.carried:
                variable.assign(tf.zeros(variable.shape))

        def call(self, values: Any) -> Any:
            """Features [streams x steps x features] to hidden states [streams x steps x units]."""
            rows, steps, features = values.shape
            flat = tf.reshape(tf.transpose(values, (1, 0, 2)), (steps * rows, features))
            product = tf.cast(tf.matmul(flat, tf.cast(self.kernel, flat.dtype)), tf.float32)
            gates = tf.reshape(product + self.bias, (steps, rows, 4 * units))
            recurrent = tf.cast(self.recurrent, flat.dtype)
            first = [tf.convert_to_tensor(variable.value) for variable in self.carried]
            states, *last = _run(tf, gates, recurrent, first)
            for variable, value in zip(self.carried, last, strict=True):
                variable.assign(value)
            return tf.cast(tf.transpose(states, (1, 0, 2)), self.compute_dtype)

    return FastLSTM(dtype=policy)


def _run(tf: Any, gates: Any, recurrent: Any, first: list[Any]) -> Any:
    """Hidden states [steps x streams x units] and the last hidden and cell state, with their gradient.

    Args:
        tf: the module.
        gates: what the inputs add to the gates, float32 [steps x streams x 4 units].
        recurrent: the states' weights [units x 4 units]; its type is that of the products.
        first: hidden and cell state before the first step [streams x units].
    """
    steps, rows, width = gates.shape
    units = width // 4

    def arrays(sizes: list[int]) -> list[Any]:
        return [tf.TensorArray(tf.float32, steps, element_shape=(rows, size)) for size in sizes]

    def forwards(gates: Any, recurrent: Any) -> list[Any]:
        def step(at: Any, hidden: Any, cell: Any, *kept: Any) -> Any:
            product = tf.matmul(tf.cast(hidden, recurrent.dtype), recurrent)
            i, f, g, o = tf.split(gates[at] + tf.cast(product, tf.float32), 4, 1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            cell = f * cell + i * g
            hidden = o * tf.tanh(cell)
            values = (hidden, cell, tf.concat([i, f, g, o], 1))
            return (at + 1, hidden, cell, *(array.write(at, value) for array, value in zip(kept, values, strict=True)))

        begin = (0, *first, *arrays([units, units, width]))
        _, hidden, cell, *kept = tf.while_loop(lambda at, *_: at < steps, step, begin, parallel_iterations=1)
        return [*(array.stack() for array in kept), hidden, cell]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(gates: Any, recurrent: Any) -> Any:
        hidden, cells, opened, *last = forwards(gates, recurrent)

        def gradient(upstream: Any, *_: Any) -> Any:
            # The last state is carried over as a value: backpropagation ends with the batch.
            before = tf.concat([first[1][None], cells[:-1]], 0)

            def step(at: Any, dh: Any, dc: Any, kept: Any) -> Any:
                i, f, g, o = tf.split(opened[at], 4, 1)
                tanh = tf.tanh(cells[at])
                dh = dh + upstream[at]
                dc = dc + dh * o * (1 - tanh * tanh)
                parts = (dc * g * i * (1 - i), dc * before[at] * f * (1 - f), dc * i * (1 - g * g))
                found = tf.concat([*parts, dh * tanh * o * (1 - o)], 1)
                product = tf.matmul(tf.cast(found, recurrent.dtype), recurrent, transpose_b=True)
                return at - 1, tf.cast(product, tf.float32), dc * f, kept.write(at, found)

            zeros = tf.zeros((rows, units))
            begin = (steps - 1, zeros, zeros, *arrays([width]))
            *_, kept = tf.while_loop(lambda at, *_: at >= 0, step, begin, parallel_iterations=1)
            found = kept.stack()
            states = tf.reshape(tf.concat([first[0][None], hidden[:-1]], 0), (steps * rows, units))
            flat = tf.cast(tf.reshape(found, (steps * rows, width)), recurrent.dtype)
            return found, tf.matmul(tf.cast(states, recurrent.dtype), flat, transpose_a=True)

        return (hidden, *last), gradient

    return run(gates, recurrent)
