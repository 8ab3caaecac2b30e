"""Detects ONNX graphs that store tensors in another file, without the onnx package.

An ONNX file is a protobuf message. Each of its fields has a number and a wire type, and some fields
are messages themselves.
"""

# For each message that may contain tensors: the numbers of the fields that lead to them, and the
# messages in these fields (onnx.proto).
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL = (13, 14)  # fields external_data and data_location of a tensor
_VARINT, _EIGHT, _BYTES, _START, _END, _FOUR = range(6)  # wire types


def names_another_file(graph: bytes) -> bool:
    """Return whether an ONNX graph stores a tensor in another file.

    Raises
    ------
    ValueError : `graph` is not a protobuf message.
    """
    if b"location" not in graph:  # the key that names the file
        return False
    waiting = [("model", 0, len(graph))]
    while waiting:
        kind, at, end = waiting.pop()
        while at < end:
            tag, at = _varint(graph, at)
            number, wire = tag >> 3, tag & 7
            size, at = _size(graph, at, wire)
            if kind == "tensor" and number in _EXTERNAL:
                return True
            if wire == _BYTES and number in _FIELDS.get(kind, ()):
                waiting.append((_FIELDS[kind][number], at, at + size))
            at += size
        if at != end:
            raise ValueError("a field ends after its message")
    return False


def _size(data: bytes, at: int, wire: int) -> tuple[int, int]:
    """Return the size and the position of a field's payload; numbers and groups have size 0."""
    if wire == _BYTES:
        return _varint(data, at)
    if wire == _VARINT:
        return 0, _varint(data, at)[1]
    if wire in (_EIGHT, _FOUR, _START, _END):
        return {_EIGHT: 8, _FOUR: 4}.get(wire, 0), at
    raise ValueError("an unknown wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length number (seven bits per byte), and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("an unterminated number")
