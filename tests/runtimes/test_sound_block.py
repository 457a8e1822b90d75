"""Samples in shared memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from decalage.runtimes.sound_block import SoundBlock
from decalage.testing.engines import Gate


def test_what_one_lays_down_another_reads_until_it_is_closed() -> None:
    made = SoundBlock(100)
    attached = SoundBlock(0, made.name)
    made.write(np.arange(10, dtype=np.float32), at=5)
    assert list(attached.read(3, at=6)) == [1.0, 2.0, 3.0]
    attached.close()
    with pytest.raises(ValueError, match="is closed"):
        attached.read(1)
    made.close()
    made.close()


def test_two_threads_close_it_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    block, gate, inside, most = SoundBlock(100), Gate(), 0, 0
    close = block._memory.close

    def slow() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        gate.pass_through()
        close()
        inside -= 1

    monkeypatch.setattr(block._memory, "close", slow)
    threads = [threading.Thread(target=block.close) for _ in range(2)]
    for thread in threads:
        thread.start()
    gate.wait_inside(1)
    assert block._closing.locked()
    gate.open()
    for thread in threads:
        thread.join()
    assert most == 1
