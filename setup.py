"""Builds the compiled core. Names of extensions are derived from their paths, so the two cannot drift apart.

MONKEYTOWN_SAFE=1      bounds and None checks on (slower; the test suite runs on both builds)
MONKEYTOWN_SANITIZE=1  AddressSanitizer and UBSan (run with the sanitizer runtime preloaded)
MONKEYTOWN_ANNOTATE=1  an HTML page per module that shows where Python is called
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SAFE = os.environ.get("MONKEYTOWN_SAFE") == "1"
SANITIZE = os.environ.get("MONKEYTOWN_SANITIZE") == "1"
ANNOTATE = os.environ.get("MONKEYTOWN_ANNOTATE") == "1"

# Without the fiction that comparisons may trap, compilers vectorise clamping; results are the same.
compile_args = [
    "-O3",
    "-g0",
    "-std=c11",
    "-fno-trapping-math",
    "-Wno-unused-function",
    "-Wno-unreachable-code",
]
link_args = []
macros = []
if SANITIZE:
    sanitizers = [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "-fno-omit-frame-pointer",
    ]
    compile_args += ["-O1", "-g", *sanitizers]
    link_args += sanitizers
    macros.append(("MONKEYTOWN_SANITIZE", "1"))


def extension(path: Path) -> Extension:
    name = ".".join(path.relative_to("ext").with_suffix("").parts)
    return Extension(
        name,
        [path.as_posix()],
        include_dirs=["ext/monkeytown/_core"],
        depends=[p.as_posix() for p in sorted(path.parent.glob("*.h"))],
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


setup(
    ext_modules=cythonize(
        [extension(path) for path in sorted(Path("ext").rglob("*.pyx"))],
        include_path=["ext"],
        build_dir="build/cython-safe" if SAFE else "build/cython",
        nthreads=0 if sys.platform == "darwin" else os.cpu_count() or 1,
        annotate=ANNOTATE,
        compiler_directives={
            "language_level": 3,
            "boundscheck": SAFE,
            "wraparound": False,
            "initializedcheck": SAFE,
            "nonecheck": SAFE,
            "overflowcheck": False,
            "cdivision": True,
            "embedsignature": False,
            "auto_pickle": False,
        },
    )
)
