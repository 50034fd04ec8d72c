"""The codec of the limit programs: the one that ramax uses, so that it cancels out."""

import msgpack

try:
    import msgspec

    unpack = msgspec.msgpack.Decoder().decode
    NAME = "msgpack, decoded by msgspec"
except ImportError:
    unpack = msgpack.unpackb
    NAME = "msgpack"

pack = msgpack.Packer().pack
