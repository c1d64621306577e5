"""Opens bodies: for each file NAME.ENCODING of a folder it writes NAME.content."""

import gzip
import io
import pathlib
import sys
import zipfile

import cramjam
import kafka.codec
import snappy


def unzip(body):
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (name,) = archive.namelist()
        return archive.read(name)


def xerial(body):
    if not body.startswith(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"):
        raise ValueError("not a stream of snappy-java")
    # What has no block is no stream to this reader, which snappy-java reads.
    return kafka.codec.snappy_decode(body) if len(body) > 16 else b""


def hadoop(body):
    stream = snappy.HadoopStreamDecompressor()
    content = stream.decompress(body)
    if stream.remains not in (None, b"", b"\0\0\0\0"):
        raise ValueError(f"{len(stream.remains)} bytes are left")
    return content


readers = {
    "gzip": gzip.decompress,
    "zip": unzip,
    "snappy-java": xerial,
    "hadoop-snappy": hadoop,
    "zstd": lambda body: bytes(cramjam.zstd.decompress(body)),
}

for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    content = readers[path.suffix[1:]](path.read_bytes())
    path.with_suffix(".content").write_bytes(content)
