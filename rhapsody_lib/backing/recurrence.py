"""A GRU layer and a loss for training on processors: what torch computes, in fewer and larger steps.

torch multiplies the state step by step and adds up the gradient of its weights step by step, each with a node of the
autograd graph. Here the inputs of all steps are one product and the gradients of both weights are one product each;
only the state's own product stays in the loops. Products may be in bfloat16; states, gates and sums are float32.

torch's gradient of the logarithm of the softmax takes the exponential again, several times more slowly than its
softmax; here the shares of the forward pass are kept, of which the gradient is a subtraction.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def gru_layer(torch: Any, values: Any, weights: tuple[Any, Any, Any, Any], first: Any, products: Any) -> Any:
    """Hidden states [steps x streams x hidden] of inputs [steps x streams x features].

    The gradient ends at `first`: backpropagation is truncated where a batch begins.

    Args:
        torch: the module.
        values: inputs, float32.
        weights: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` of a layer of `torch.nn.GRU` (gates: reset, update,
            new), float32.
        first: state before the first step [streams x hidden], float32.
        products: type of the factors of the products, `torch.float32` or `torch.bfloat16`.
    """
    return _function(torch).apply(values, *weights, first, products)


@lru_cache(maxsize=1)
def _function(torch: Any) -> Any:
    """The layer as an autograd function; made when torch is first needed, for it is a subclass of one of its own."""

    class Layer(torch.autograd.Function):  # type: ignore[misc]
        """Forward and backward through time, written out."""

        @staticmethod
        def forward(
            ctx: Any, values: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, first: Any, products: Any
        ) -> Any:
            w_ih, w_hh, inputs = (tensor.to(products) for tensor in (w_ih, w_hh, values))
            kept = _forwards(torch, inputs, w_ih, w_hh, b_ih, b_hh, first)
            ctx.save_for_backward(inputs, w_ih, w_hh, *kept)
            return kept[0][1:]

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            inputs, w_ih, w_hh, *kept = ctx.saved_tensors
            found = _backwards(torch, upstream, w_hh, *kept)
            steps, streams, width = found.shape
            size = width // 4
            flat = found.reshape(steps * streams, width)
            to_inputs, to_state = flat[:, : 3 * size], flat[:, size:]
            sums = (flat.new_ones(1, len(flat)) @ flat)[0].float()
            # The loops keep the gates as new, reset, update, new of the state; the weights are in torch's order.
            order = torch.arange(3 * size).roll(-size)
            wide = w_ih[order.roll(2 * size)]
            return (
                (to_inputs @ wide).float().reshape(inputs.shape),
                (to_inputs.t() @ inputs.reshape(steps * streams, -1)).float()[order],
                (to_state.t() @ kept[1][:-1].reshape(steps * streams, size)).float(),
                sums[: 3 * size][order],
                sums[size:],
                None,
                None,
            )

    return Layer


def _forwards(torch: Any, inputs: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, first: Any) -> list[Any]:
    """Hidden states with the first [steps + 1 x ...], the same as factors, switches, new, the state's share of new."""
    steps, streams, features = inputs.shape
    size = w_hh.shape[1]
    bias = b_ih.clone()
    bias[: 2 * size] += b_hh[: 2 * size]
    gates = torch.addmm(bias.to(w_ih.dtype), inputs.reshape(steps * streams, features), w_ih.t())
    gates = gates.reshape(steps, streams, 3 * size)
    hidden = first.new_empty(steps + 1, streams, size)
    hidden[0] = first
    factors = hidden if w_hh.dtype == hidden.dtype else hidden.to(w_hh.dtype)
    switches, new, shares = (first.new_empty(steps, streams, width) for width in (2 * size, size, size))
    own, weight, own_bias = gates.new_empty(streams, 3 * size), w_hh.t(), b_hh[2 * size :]
    for at in range(steps):
        torch.mm(factors[at], weight, out=own)
        switch = switches[at].copy_(gates[at, :, : 2 * size]).add_(own[:, : 2 * size]).sigmoid_()
        share = torch.add(own_bias, own[:, 2 * size :], out=shares[at])
        torch.mul(switch[:, :size], share, out=new[at]).add_(gates[at, :, 2 * size :])
        # tanh x = 2 sigmoid 2x - 1: torch's tanh takes several times as long.
        new[at].mul_(2).sigmoid_().mul_(2).sub_(1)
        torch.lerp(new[at], hidden[at], switch[:, size:], out=hidden[at + 1])
        if factors is not hidden:
            factors[at + 1].copy_(hidden[at + 1])
    return [hidden, factors, switches, new, shares]


def _backwards(
    torch: Any, upstream: Any, w_hh: Any, hidden: Any, factors: Any, switches: Any, new: Any, shares: Any
) -> Any:
    """Gradients of the gates [steps x streams x 4 hidden]: new, reset, update, and the state's share of new."""
    steps, streams, size = new.shape
    found = factors.new_empty(steps, streams, 4 * size)
    gradient, product = torch.zeros_like(hidden[0]), factors.new_empty(streams, size)
    part, gates = torch.empty_like(gradient), hidden.new_empty(streams, 4 * size)
    to_new, to_reset, to_update, to_share = gates.chunk(4, dim=1)
    sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
    for at in range(steps - 1, -1, -1):
        reset, update = switches[at].chunk(2, dim=1)
        gradient.add_(upstream[at])
        torch.sub(hidden[at], new[at], out=part).mul_(gradient)
        sigmoid_backward.grad_input(part, update, grad_input=to_update)
        torch.addcmul(gradient, gradient, update, value=-1, out=part)
        tanh_backward.grad_input(part, new[at], grad_input=to_new)
        torch.mul(to_new, shares[at], out=part)
        sigmoid_backward.grad_input(part, reset, grad_input=to_reset)
        torch.mul(to_new, reset, out=to_share)
        found[at].copy_(gates)
        torch.mm(found[at, :, size:], w_hh, out=product)
        gradient.mul_(update).add_(product)
    return found


#: Shares below are told as this much, or their logarithm would be infinite.
_LEAST_SHARE = 1e-37


def mean_nll(torch: Any, logits: Any, targets: Any) -> Any:
    """Mean negative log-likelihood in nats of targets [tokens] under logits [tokens x vocabulary], of any type."""
    return _loss(torch).apply(logits, targets)


@lru_cache(maxsize=1)
def _loss(torch: Any) -> Any:
    class Loss(torch.autograd.Function):  # type: ignore[misc]
        """Cross-entropy, with the softmax kept for the gradient."""

        @staticmethod
        def forward(ctx: Any, logits: Any, targets: Any) -> Any:
            shares = torch.softmax(logits, dim=1, dtype=torch.float32)
            places = targets[:, None]
            right = shares.gather(1, places)
            ctx.save_for_backward(shares, places, right)
            ctx.kind = logits.dtype
            return -right.clamp(min=_LEAST_SHARE).log().mean()

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            shares, places, right = ctx.saved_tensors
            scale = float(upstream) / len(shares)
            found = torch.mul(shares, scale, out=shares.new_empty(shares.shape, dtype=ctx.kind))
            return found.scatter_(1, places, ((right - 1) * scale).to(ctx.kind)), None

    return Loss
