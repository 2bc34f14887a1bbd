"""The contract as a table: a request, and what TensorFlow Serving answers. Any server's address will do.

Texts are those of TensorFlow Serving's sources; where they are cut, what follows is a matter of the engine.
"""

# ruff: noqa: E501  one case a line
from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, field

HALF = "/v1/models/half_plus_two"
PREDICT = f"{HALF}:predict"


@dataclass(frozen=True)
class Case:
    """One request and its answer.

    Attributes:
        wanted: the body: exact, or the whole error text; a trailing "..." allows anything after it.
    """

    name: str
    method: str
    path: str
    body: bytes | str | None
    status: int
    wanted: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def ours(self) -> bool:
        """Whether this is a matter of the engine, or a limit of our own: TensorFlow Serving answers otherwise."""
        return self.wanted == "..." or "levels" in (self.wanted or "")


def post(name: str, body: bytes | str, status: int, wanted: str, path: str = PREDICT, **headers: str) -> Case:
    return Case(name, "POST", path, body, status, wanted, headers)


def get(name: str, path: str, status: int, wanted: str | None = None) -> Case:
    return Case(name, "GET", path, None, status, wanted)


def echo(kind: str, value: str, status: int, wanted: str) -> Case:
    """`value` to the model that returns its input, as a column."""
    shown = wanted if status != 200 else f'{{\n    "outputs": {wanted}\n}}'
    return post(f"{kind} {value[:40]}", f'{{"inputs": {value}}}', status, shown, f"/v1/models/echo_{kind}:predict")


def wrong(kind: str, value: str, shown: str, type_: str) -> Case:
    """A leaf of a type that the tensor does not take."""
    return echo(kind, value, 400, f"JSON Value: {shown} Type: {type_} is not of expected type: {kind}")


def row(*lines: str) -> str:
    return "\n".join(("{", *lines, "}"))


def rows(text: str) -> str:
    """The odd layout of rows: all on one line, and the bracket on the next."""
    return row(f'    "predictions": [{text}', "    ]")


B64 = base64.b64encode(b"caf\xc3\xa9").decode()
PAIR = "/v1/models/pair:predict"
MATRIX = "/v1/models/matrix:predict"
ELEMENT = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: {}"
PARSE = "JSON Parse error: {} at offset: {}"
ONE_OF = "expecting only one of 'inputs' or 'instances' keys to exist "

URLS = [
    get("other path", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
    get("capitals in the prefix", "/V1/foo", 400, "Malformed request: GET /V1/foo"),
    post("other path, POST", "", 400, "Malformed request: POST /v1/foo", "/v1/foo"),
    get("no model", "/v1/models", 400, "Missing model name in request."),
    get("no model but a version", "/v1/models/versions/1", 400, "Missing model name in request."),
    post("no model, POST", "", 400, "Malformed request: POST /v1/models", "/v1/models"),
    get("predict by GET", "/v1/models/foo:predict", 400, "Malformed request: GET /v1/models/foo:predict"),
    post("status by POST", "{}", 400, f"Malformed request: POST {HALF}", HALF),
    post("unknown verb", "{}", 400, f"Malformed request: POST {HALF}:explain", f"{HALF}:explain"),
    post("verb in capitals", "{}", 400, f"Malformed request: POST {HALF}:PREDICT", f"{HALF}:PREDICT"),
    post("version is a word", "{}", 400, f"Malformed request: POST {HALF}/versions/x:predict", f"{HALF}/versions/x:predict"),
    post("version, not versions", "{}", 400, "Malformed request: POST /v1/models/m/version/5:regress", "/v1/models/m/version/5:regress"),
    post("query", "{}", 400, f"Malformed request: POST {PREDICT}?x=1", f"{PREDICT}?x=1"),
    get("query is part of the name", f"{HALF}?x=1", 404, "Could not find any versions of model half_plus_two?x=1"),
    get("trailing slash", f"{HALF}/", 400, f"Malformed request: GET {HALF}/"),
    Case("version beyond int64", "POST", f"{HALF}/versions/18446744073709551615:regress", "{}", 400, ""),
    Case("version beyond int64, GET", "GET", f"{HALF}/versions/9223372036854775808", None, 400, ""),
    get("largest version", f"{HALF}/versions/9223372036854775807", 404, "Could not find version 9223372036854775807 of model half_plus_two"),
    Case("DELETE", "DELETE", HALF, None, 400, f"Malformed request: DELETE {HALF}"),
    Case("PUT", "PUT", PREDICT, "{}", 400, f"Malformed request: PUT {PREDICT}"),
    Case("PATCH", "PATCH", PREDICT, "{}", 400, f"Malformed request: PATCH {PREDICT}"),
    Case("HEAD", "HEAD", HALF, None, 400, ""),
    Case("TRACE", "TRACE", HALF, None, 501),
    Case("OPTIONS", "OPTIONS", HALF, None, 400, ""),
    Case("OPTIONS with an origin", "OPTIONS", HALF, None, 200, "", {"Origin": "https://example.org"}),
    get("outside", "/", 404),
    get("outside, v1 without a slash", "/v1", 404),
]  # fmt: skip

MODELS = [
    post("unknown model", '{"instances": [1]}', 404, "Servable not found for request: Latest(half)", "/v1/models/half:predict"),
    post("unknown model, bad JSON first", "{", 400, PARSE.format("Missing a name for object member.", 1), "/v1/models/half:predict"),
    post("unknown version", '{"instances": [1]}', 404, "Servable not found for request: Specific(half_plus_two, 99)", f"{HALF}/versions/99:predict"),
    post("older version is not loaded", '{"instances": [1]}', 404, "Servable not found for request: Specific(half_plus_two, 1)", f"{HALF}/versions/1:predict"),
    post("unknown label", '{"instances": [1]}', 400, "Unrecognized servable version label: canary", f"{HALF}/labels/canary:predict"),
    post("label with a space", '{"instances": [1]}', 400, "Unrecognized servable version label: a b", f"{HALF}/labels/a%20b:predict"),
    get("status of unknown model", "/v1/models/half", 404, "Could not find any versions of model half"),
    get("status of unknown version", f"{HALF}/versions/99", 404, "Could not find version 99 of model half_plus_two"),
    get("metadata of unknown model", "/v1/models/half/metadata", 404, "Servable not found for request: Latest(half)"),
    get("metadata of unknown version", f"{HALF}/versions/9/metadata", 404, "Servable not found for request: Specific(half_plus_two, 9)"),
    get("metadata of a label", f"{HALF}/labels/x/metadata", 400, "Unrecognized servable version label: x"),
    post("specific version", '{"instances": [2.0]}', 200, rows("3.0"), f"{HALF}/versions/2:predict"),
    post("version with zeros", '{"instances": [2.0]}', 200, rows("3.0"), f"{HALF}/versions/0002:predict"),
    post("name in percent", '{"instances": [2.0]}', 200, rows("3.0"), "/v1/models/half%5Fplus_two:predict"),
    post("path in capitals", '{"instances": [2.0]}', 200, rows("3.0"), "/V1/Models/half_plus_two:predict"),
    post("classify", '{"examples": [{"x": 1.0}]}', 400, "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict", f"{HALF}:classify"),
    post("regress", '{"examples": [{"x": 1.0}]}', 400, "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict", f"{HALF}:regress"),
    post("classify, other signature", '{"signature_name": "c", "examples": [{"x": 1.0}]}', 400, "No signature was found with the name: c", f"{HALF}:classify"),
    post("classify, no examples", "{}", 400, "JSON Value: {} When method is classify, key 'examples' is expected and was not found", f"{HALF}:classify"),
    post("regress, empty examples", '{"examples": []}', 400, "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array", f"{HALF}:regress"),
]  # fmt: skip

DOCUMENTS = [
    post("empty body", "", 400, "JSON Parse error: The document is empty"),
    post("only spaces", " \n ", 400, PARSE.format("The document is empty.", 3)),
    post("not JSON", "instances = [1, 2]", 400, PARSE.format("Invalid value.", 0)),
    post("not closed", '{"instances": [1, 2', 400, PARSE.format("Missing a comma or ']' after an array element.", 19)),
    post("comma at the end", '{"instances": [1,]}', 400, PARSE.format("Invalid value.", 17)),
    post("no quotes", "{instances: [1]}", 400, PARSE.format("Missing a name for object member.", 1)),
    post("single quotes", "{'instances': [1]}", 400, PARSE.format("Missing a name for object member.", 1)),
    post("no colon", '{"instances" [1]}', 400, PARSE.format("Missing a colon after a name of object member.", 13)),
    post("half a literal", '{"instances": [tru]}', 400, PARSE.format("Invalid value.", 18)),
    post("number too big", '{"instances": [1e999]}', 400, PARSE.format("Number too big to be stored in double.", 15)),
    post("no fraction", '{"instances": [1.]}', 400, PARSE.format("Missing fraction part in number.", 17)),
    post("no exponent", '{"instances": [1e]}', 400, PARSE.format("Missing exponent in number.", 17)),
    post("string not closed", '{"instances', 400, PARSE.format("Missing a closing quotation mark in string.", 11)),
    post("bad escape", '{"\\x": 1}', 400, PARSE.format("Invalid escape character in string.", 2)),
    post("bad hex", '{"\\u00g0": 1}', 400, PARSE.format("Incorrect hex digit after \\u escape in string.", 2)),
    post("half a pair", '{"\\ud800": 1}', 400, PARSE.format("The surrogate pair in string is invalid.", 2)),
    post("control character", '{"a\x01": 1}', 400, PARSE.format("Invalid encoding in string.", 3)),
    post("nested too deep", "[" * 5000, 400, PARSE.format("Nested deeper than 256 levels.", 256)),
    post("a list", "[1, 2]", 400, "JSON Value: [\n    1,\n    2\n] Is not object"),
    post("a number", "1.5", 400, "JSON Value: 1.5 Is not object"),
    post("a string", '"x"', 400, 'JSON Value: "x" Is not object'),
    post("null", "null", 400, "JSON Value: null Is not object"),
    post("neither key", '{"instance": [1]}', 400, "Missing 'inputs' or 'instances' key"),
    post("both keys", '{"instances": [1], "inputs": [1]}', 400, 'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    ]\n} Not formatted correctly ' + ONE_OF),
    post("instances is no list", '{"instances": 1}', 400, 'JSON Value: {\n    "instances": 1\n} Excepting \'instances\' to be an list/array'),
    post("instances is empty", '{"instances": []}', 400, 'JSON Value: {\n    "instances": []\n} No values in \'instances\' array'),
    post("signature is a number", '{"signature_name": 100}', 400, 'JSON Value: {\n    "signature_name": 100\n} not formatted correctly. \'signature_name\' key must be a string value.'),
    post("unknown signature", '{"signature_name": "x", "instances": [1]}', 400, 'Serving signature name: "x" not found in signature def'),
    post("empty signature is the default", '{"signature_name": "", "instances": [2]}', 200, rows("3.0")),
    post("first of equal keys", '{"instances": [2], "instances": [4]}', 200, rows("3.0")),
    post("trailing bytes", '{"instances": [2]} and more', 200, rows("3.0")),
    post("byte order mark", b'\xef\xbb\xbf{"instances": [2]}', 200, rows("3.0")),
    post("other keys", '{"instances": [2], "x": {"y": [null]}}', 200, rows("3.0")),
    post("gzip", gzip.compress(b'{"instances": [2]}'), 200, rows("3.0"), **{"Content-Encoding": "gzip"}),
    post("broken gzip", b"no gzip", 400, "JSON Parse error: The document is empty", **{"Content-Encoding": "gzip"}),
    post("half a gzip", gzip.compress(b'{"instances": [2]}')[:-9], 400, "JSON Parse error: The document is empty", **{"Content-Encoding": "gzip"}),
]  # fmt: skip

PREDICTIONS = [
    post("rows", '{"instances": [2.0, 3.0, 4.0]}', 200, rows("3.0, 3.5, 4.0")),
    post("rows as objects", '{"instances": [{"x": 2.0}, {"x": 3.0}]}', 200, rows("3.0, 3.5")),
    post("integers for floats", '{"instances": [2, 3]}', 200, rows("3.0, 3.5")),
    post("columns", '{"inputs": [2.0, 3.0]}', 200, row('    "outputs": [', "        3.0,", "        3.5", "    ]")),
    post("columns by name", '{"inputs": {"x": [2.0], "other": 1}}', 200, row('    "outputs": [', "        3.0", "    ]")),
    post("with signature", '{"signature_name": "serving_default", "instances": [2.0]}', 200, rows("3.0")),
    post("no rows in columns", '{"inputs": []}', 200, row('    "outputs": []')),
    post("wrong name", '{"instances": [{"y": 2.0}]}', 400, "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: y"),
    post("empty object", '{"instances": [{}]}', 400, "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: x"),
    post("object, then list", '{"instances": [{"x": 1.0}, 2.0]}', 400, "Expecting object but got list at item 1 of input list"),
    post("list, then object", '{"instances": [1.0, {"x": 1.0}]}', 400, "Expecting value/list but got object at item 1 of input list"),
    post("type in a row", '{"instances": [1.0, "a"]}', 400, ELEMENT.format(1, 'JSON Value: "a" Type: String is not of expected type: float')),
    post("true in a row", '{"instances": [true]}', 400, ELEMENT.format(0, "JSON Value: true Type: True is not of expected type: float")),
    post("null in a row", '{"instances": [null]}', 400, ELEMENT.format(0, "JSON Value: null Type: Null is not of expected type: float")),
    post("bytes for a float", '{"instances": [{"b64": "aa"}]}', 400, ELEMENT.format(0, 'JSON Value: {\n    "b64": "aa"\n} Type: Object is not of expected type: float')),
    post("rows of two sizes", '{"instances": [[1.0, 2.0], [1.0]]}', 400, ELEMENT.format(1, "Expecting tensor size: 2 but got: 1")),
    post("rows of two shapes", '{"instances": [[[1.0], [2.0]], [[1.0, 2.0]]]}', 400, ELEMENT.format(1, "Expecting shape [2,1] but got: [1,2]")),
    post("ragged row", '{"instances": [[[1.0, 2.0], [1.0]]]}', 400, ELEMENT.format(0, "Encountered list at unexpected size: 1 at level: 1 expected size: 2")),
    post("list where numbers are", '{"instances": [[1.0, [2.0]]]}', 400, ELEMENT.format(0, "Encountered list at unexpected level: 1 expected < 1")),
    post("number where lists are", '{"instances": [[[1.0], 2.0]]}', 400, ELEMENT.format(0, "JSON Value: 2.0 found at incorrect level: 2 in the JSON DOM. Expected at level: 2")),
    post("missing column", '{"inputs": {"y": [1.0]}}', 400, "Missing named input: x in 'inputs' object."),
    post("rank that does not fit", '{"inputs": [[1.0]]}', 400, "..."),
    post("two inputs as a list", '{"instances": [[1.0, 2.0]]}', 400, "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map", PAIR),
    post("two inputs as a column", '{"inputs": [1.0]}', 400, "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map", PAIR),
    post("one of two inputs", '{"instances": [{"a": [1, 2]}]}', 400, 'Failed to process element: 0 of \'instances\' list. JSON object: {\n    "a": [\n        1,\n        2\n    ]\n} keys must be equal to: a,b', PAIR),
    post("type by key", '{"instances": [{"a": [1, 2], "b": 1.5}]}', 400, "Failed to process element: 0 key: b of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: 1.5 Type: Number is not of expected type: int64", PAIR),
    post("two inputs, two outputs, rows", '{"instances": [{"a": [1, 2], "b": 7}, {"b": 8, "a": [3, 0.25]}]}', 200, row('    "predictions": [', "        {", '            "twice": [2.0, 4.0],', '            "same": 7', "        },", "        {", '            "twice": [6.0, 0.5],', '            "same": 8', "        }", "    ]"), PAIR),
    post("two inputs, two outputs, columns", '{"inputs": {"a": [[1, 2]], "b": [7]}}', 200, row('    "outputs": {', '        "twice": [', "            [", "                2.0,", "                4.0", "            ]", "        ],", '        "same": [', "            7", "        ]", "    }"), PAIR),
    post("matrix rows", '{"instances": [[[1, 2, 3], [4, 5, 6]]]}', 200, rows("[[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]"), MATRIX),
    post("matrix rows by signature", '{"signature_name":"serving_default","instances":[[[1e0,-2,3],[4,5,6.5]]]}', 200, rows("[[2.0, -4.0, 6.0], [8.0, 10.0, 13.0]]"), MATRIX),
    post("matrix rows, wrong signature of equal skeleton", '{"signature_name":"serving_default2","instances":[[[1,2,3],[4,5,6]]]}', 400, 'Serving signature name: "serving_default2" not found in signature def', MATRIX),
    post("matrix rows, wrong key of equal skeleton", '{"instance1s":[[[1,2,3],[4,5,6]]]}', 400, "Missing 'inputs' or 'instances' key", MATRIX),
    post("matrix, one column short", '{"instances": [[[1, 2], [4, 5]]]}', 400, "...", MATRIX),
    post("matrix, empty rows", '{"instances": [[], []]}', 400, "...", MATRIX),
    post("matrix, true", '{"instances": [[[1, 2, true], [4, 5, 6]]]}', 400, ELEMENT.format(0, "JSON Value: true Type: True is not of expected type: float"), MATRIX),
    post("output without rows", '{"instances": [1, 2]}', 400, "Tensor name: y has no shape information ", "/v1/models/total:predict"),
    post("output without rows, columns", '{"inputs": [1, 2]}', 200, row('    "outputs": 3.0'), "/v1/models/total:predict"),
    post("outputs of two sizes", '{"instances": [1, 2]}', 400, "Tensor name: ...", "/v1/models/uneven:predict"),
    post("bytes in and out", '{"instances": [{"b64": "aGV5"}, "you"]}', 200, rows('{\n            "b64": "aGV5"\n        }, {\n            "b64": "eW91"\n        }'), "/v1/models/bytes:predict"),
]  # fmt: skip

NUMBERS = [
    echo("float", "0.1", 200, "0.1"),
    echo("float", "0.123456789", 200, "0.123456791"),
    echo("float", "1e6", 200, "1e+06"),
    echo("float", "123456", 200, "123456.0"),
    echo("float", "1234567", 200, "1234567.0"),
    echo("float", "16777217", 200, "16777216.0"),
    echo("float", "3e-05", 200, "3e-05"),
    echo("float", "0.0001", 200, "0.0001"),
    echo("float", "-0.0", 200, "-0.0"),
    echo("float", "1e300", 200, "Infinity"),
    echo("float", "NaN", 200, "NaN"),
    echo("float", "Infinity", 200, "Infinity"),
    echo("float", "-Infinity", 200, "-Infinity"),
    echo("float", "Inf", 200, "Infinity"),
    echo("float", "1e-46", 200, "0.0"),
    echo("float", "18446744073709551616", 200, "1.84467441e+19"),
    echo("double", "0.1", 200, "0.1"),
    echo("double", "0.1234567890123456", 200, "0.12345678901234559"),
    echo("double", "1e300", 200, "1e+300"),
    wrong("float", "true", "true", "True"),
    wrong("float", "null", "null", "Null"),
    wrong("float", '"1.0"', '"1.0"', "String"),
    wrong("double", "false", "false", "False"),
    echo("int32", "2147483647", 200, "2147483647"),
    wrong("int32", "2147483648", "2147483648", "Number"),
    wrong("int32", "1.0", "1.0", "Number"),
    wrong("int32", "true", "true", "True"),
    echo("int8", "300", 200, "44"),
    echo("uint8", "-1", 200, "255"),
    wrong("int16", "3000000000", "3000000000", "Number"),
    echo("int64", "9223372036854775807", 200, "9223372036854775807"),
    wrong("int64", "9223372036854775808", "9223372036854775808", "Number"),
    wrong("int64", '"1"', '"1"', "String"),
    echo("uint32", "4294967295", 200, "4294967295"),
    wrong("uint32", "-1", "-1", "Number"),
    echo("uint64", "18446744073709551615", 200, "18446744073709551615"),
    wrong("uint64", "-1", "-1", "Number"),
    echo("bool", "true", 200, "true"),
    wrong("bool", "1", "1", "Number"),
    echo("string", '"a\\"\\u00e9\\n"', 200, '"a\\"é\\n"'),
    echo("string", f'{{"b64": "{B64}"}}', 200, '"café"'),
    echo("string", '{"b64": "YQ"}', 200, '"a"'),
    echo("string", '{"b64": "YQ="}', 400, "Unable to base64 decode"),
    echo("string", '{"b64": "Y"}', 400, "Unable to base64 decode"),
    echo("string", '{"b64": "!!"}', 400, "Unable to base64 decode"),
    echo("string", '[{"b64": 1}]', 400, 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
    wrong("string", "1", "1", "Number"),
    echo("half", "1.5", 501, "Conversion of JSON Value: 1.5 to type: half"),
]

CASES = [*URLS, *MODELS, *DOCUMENTS, *PREDICTIONS, *NUMBERS]
