from ramax.core.sync.frames import unpack
from ramax.errors import (
    DataError,
    ForkError,
    GapError,
    LayerAuthError,
    LayerUnavailableError,
    ProtocolError,
)
from ramax.web.refusals import refusal_of


def test_every_failure_has_a_code_of_the_protocol_and_of_what_carries_it():
    found = [
        (refused.code, refused.status, refused.close)
        for refused in map(
            refusal_of,
            [
                GapError("notes", {b"o" * 16: 2}),
                ForkError("notes", b"o" * 16, 3),
                ProtocolError("memory", "what"),
                LayerAuthError("memory", "no"),
                DataError("vector", 1, "must be a map"),
                LayerUnavailableError("memory", "secret of the house"),
            ],
        )
    ]
    assert found == [
        ("gap", 409, 0),
        ("fork", 409, 0),
        ("bad_frame", 400, 4400),
        ("forbidden", 403, 4403),
        ("bad_frame", 400, 4400),
        ("failed", 503, 0),
    ]


def test_what_fails_inside_is_not_told_outside():
    frame = unpack(refusal_of(LayerUnavailableError("memory", "secret of the house")).frame())
    assert frame.body == {
        "code": "failed",
        "reason": "sync.layer.unavailable",
        "ends": False,
        "retryable": True,
    }
