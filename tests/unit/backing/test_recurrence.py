"""Our GRU layer and loss compute what torch's do, gradients too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.recurrence import gru_layer, mean_nll

torch = pytest.importorskip("torch")
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "inputs")


def _both(steps: int, streams: int, features: int, hidden: int, products: object, seed: int) -> list[tuple[str, float]]:
    """The largest difference of states and of each gradient, by the largest of torch's own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gru = torch.nn.GRU(features, hidden)
        inputs = torch.randn(steps, streams, features, requires_grad=True)
        first, weights = torch.randn(streams, hidden), torch.randn(steps, streams, hidden)
    results = []
    for way in ("torch", "ours"):
        states = (
            gru(inputs, first[None])[0]
            if way == "torch"
            else gru_layer(torch, inputs, tuple(gru.parameters()), first, products)
        )
        results.append([states.detach(), *torch.autograd.grad((states * weights).sum(), [*gru.parameters(), inputs])])
    return [
        (name, float((ours - theirs).abs().max() / theirs.abs().max()))
        for name, theirs, ours in zip(("states", *NAMES), *results, strict=True)
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 7), st.integers(1, 12), st.integers(0, 99))
def test_states_and_gradients_are_torch_s(steps: int, streams: int, features: int, hidden: int, seed: int) -> None:
    for name, difference in _both(steps, streams, features, hidden, torch.float32, seed):
        assert difference < 2e-5, name


def test_bfloat16_is_near() -> None:
    found = dict(_both(20, 8, 16, 32, torch.bfloat16, 1))
    assert max(found.values()) < 0.03
    assert found["states"] > 0


def test_the_gradient_ends_at_the_first_state() -> None:
    gru, first = torch.nn.GRU(3, 4), torch.zeros(2, 4, requires_grad=True)
    states = gru_layer(torch, torch.ones(5, 2, 3), tuple(gru.parameters()), first, torch.float32)
    states.sum().backward()
    assert first.grad is None


@pytest.mark.parametrize(("kind", "bound"), [(torch.float32, 1e-6), (torch.bfloat16, 8e-3)])
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
def test_loss_and_gradient_are_torch_s(kind: object, bound: float, tokens: int, vocabulary: int, seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        logits = (9 * torch.randn(tokens, vocabulary)).to(kind).requires_grad_()
        targets = torch.randint(0, vocabulary, (tokens,))
    expected = torch.nn.functional.cross_entropy(logits.float(), targets)
    (gradient,) = torch.autograd.grad(2 * expected, logits)
    loss = mean_nll(torch, logits, targets)
    (ours,) = torch.autograd.grad(2 * loss, logits)
    assert float((loss - expected).abs().detach()) < 1e-4
    assert float((ours - gradient).abs().max()) <= bound


def test_a_token_without_any_chance_has_a_finite_loss() -> None:
    loss = mean_nll(torch, torch.tensor([[0.0, -1000.0]]), torch.tensor([1]))
    assert 80 < float(loss) < 90
