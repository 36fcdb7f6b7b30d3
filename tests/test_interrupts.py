"""A signal is raised only while the run waits, and the second one anywhere."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from scanner.interrupts import Interrupted, Interrupts


def test_a_signal_during_work_waits_until_the_work_is_done() -> None:
    done = []
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("work")
            with interrupts.waiting():
                done.append("more")
        assert interrupts.signum == caught.value.signum == signal.SIGTERM
    assert done == ["work"]


def test_a_signal_while_waiting_is_raised_at_once() -> None:
    with Interrupts() as interrupts, pytest.raises(Interrupted), interrupts.waiting():
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(30)
        pytest.fail("not interrupted")


def test_the_second_signal_is_raised_anywhere() -> None:
    with Interrupts(), pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("not interrupted")


def test_what_was_before_is_there_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            with interrupts.waiting():
                pass
            assert interrupts.signum is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_it_does_nothing() -> None:
    seen: list[object] = []

    def work() -> None:
        with Interrupts() as interrupts, interrupts.waiting():
            seen.append(interrupts.signum)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
