"""Run tests again and again and count what failed.

python -m scripts.repeat 50 tests/runtimes tests/flow
"""

from __future__ import annotations

import re
import subprocess
import sys


def main() -> None:
    times, paths = int(sys.argv[1]), sys.argv[2:]
    passed = failed = 0
    for _ in range(times):
        done = subprocess.run(  # noqa: S603 - pytest on our own tests
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
            capture_output=True,
            text=True,
            check=False,
        )
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", done.stdout)}
        passed += counts.get("passed", 0)
        failed += counts.get("failed", 0) + (done.returncode not in (0, 1))
        if done.returncode:
            print(done.stdout[-3000:], file=sys.stderr)
    print(f"{times} runs: {passed} tests passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
