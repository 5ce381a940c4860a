"""The number that says how far the room contradicts the matte."""

from __future__ import annotations

import numpy as np

from bgcam.realtime.picture.matte_doubt import DOUBTFUL, MatteDoubt


def person(share: float) -> np.ndarray:
    alpha = np.zeros((10, 100), np.float32)
    alpha[:, : round(100 * share)] = 1
    return alpha


def test_a_matte_that_the_room_leaves_alone_is_not_in_doubt() -> None:
    doubt = MatteDoubt()
    for number in range(60):
        doubt.step(person(0.4), person(0.4), time_s=number / 30)
    assert (doubt.share, doubt.notice) == (0, "")


def test_a_long_contradiction_is_said_and_a_short_one_is_not() -> None:
    doubt = MatteDoubt()
    doubt.step(person(0.5), person(0.5), time_s=0.0)
    doubt.step(person(0.5), person(0.0), time_s=0.1)
    assert doubt.share is not None
    assert doubt.share < 0.05
    for number in range(600):
        doubt.step(person(0.5), person(0.3), time_s=0.2 + number / 30)
    assert doubt.share > DOUBTFUL
    assert doubt.notice == "doubtful matte: 39% of what the model takes for you is your room; try another --model"
    for number in range(600):
        doubt.step(person(0.5), person(0.5), time_s=21 + number / 30)
    assert doubt.notice == ""


def test_nobody_says_nothing_of_the_matte() -> None:
    doubt = MatteDoubt()
    for number in range(60):
        doubt.step(person(0.0), person(0.0), time_s=number / 30)
    assert doubt.share is None


def test_the_doubt_of_someone_who_left_fades() -> None:
    doubt, person = MatteDoubt(), np.zeros((10, 10), np.float32)
    person[:5] = 1
    rest = person.copy()
    rest[:3] = 0
    for at in range(300):
        doubt.step(person, rest, time_s=at / 30)
    assert doubt.notice
    nobody = np.zeros_like(person)
    for at in range(300, 1800):
        doubt.step(nobody, nobody, time_s=at / 30)
    assert not doubt.notice
