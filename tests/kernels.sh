#!/usr/bin/env bash
# Run the tests that compute under the numeric kernels of other processors.
#
#   tests/kernels.sh [PYTHON] [pytest arguments; by default the unit tests that use numpy]
#
# OpenBLAS, numpy and the C library choose their code by the processor, and sums in another order
# differ in their last digits. Each variant makes this machine compute like another one, with
# another number of threads; one whose instructions the processor lacks is passed over. KERNELS
# names the variants to run, for example KERNELS="haswell prescott".
set -uo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
shift
if [ $# -eq 0 ]; then
    mapfile -t tests < <(grep -lE "numpy|gold_fixture" tests/unit/*/test_*.py)
    set -- "${tests[@]}"
fi

no_avx512="X86_V4 AVX512_ICL AVX512_SPR"
old="glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"
# name|OPENBLAS_CORETYPE|NPY_DISABLE_CPU_FEATURES|GLIBC_TUNABLES|threads|instructions needed
variants=(
    "skylake-x|SkylakeX|||1|avx512f"
    "haswell|Haswell|$no_avx512||4|avx2"
    "zen|Zen|$no_avx512||2|avx2"
    "nehalem|Nehalem|X86_V3 $no_avx512|$old|1|sse4_2"
    "prescott|Prescott|X86_V3 $no_avx512|$old|4|sse4_2"
)
status=0
for variant in "${variants[@]}"; do
    IFS="|" read -r name core features tunables threads needs <<<"$variant"
    [[ " ${KERNELS:-$name} " == *" $name "* ]] || continue
    if ! grep -qw "$needs" /proc/cpuinfo; then
        echo "$name: this processor has no $needs"
        continue
    fi
    echo "$name, $threads threads, $("$python" --version)"
    OPENBLAS_CORETYPE=$core NPY_DISABLE_CPU_FEATURES=$features GLIBC_TUNABLES=$tunables \
        OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads \
        "$python" -m pytest -p no:cacheprovider -W ignore::ImportWarning "$@" || status=1
done
exit $status
