"""Draws the samples of a dossier again, from the doc comments of the package alone. Signatures are not verified here.

recompute.py DOSSIER: prints seed, samples and roots in JSON. The known witnesses follow as further arguments, by name."""
import base64, datetime, hashlib, json, struct, sys


def sha(b):
    return hashlib.sha256(b).digest()


def parts(*list):
    return sha(b"".join(struct.pack(">Q", len(p)) + p for p in list))


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\1" + root(leaves[:half]) + root(leaves[half:]))


def words(key):
    number = 0
    while True:
        yield from struct.unpack(">4Q", sha(key + struct.pack(">Q", number)))
        number += 1


def draw(seed, frame, k):
    n = frame["size"]
    stream = words(parts(b"opsec/sample/draw/v1", seed, frame["procedure"].encode(), struct.pack(">Q", n), bytes.fromhex(frame["digest"])))
    order = list(range(n))
    for i in range(k):
        w = next(stream)
        while w < 2**64 % (n - i):
            w = next(stream)
        j = i + w % (n - i)
        order[i], order[j] = order[j], order[i]
    return sorted(order[:k])


def seconds(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def main(path, *witnesses):
    d = json.load(open(path, encoding="utf-8"))
    freeze = d["freeze"]
    text = json.dumps(freeze, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = parts(b"opsec/sample/freeze/v1", text.encode())
    first = seconds(freeze["not_before"])
    last = seconds(freeze["not_after"]) if "not_after" in freeze else first + 86400
    body, lines = d["checkpoint"].rsplit("\n\n", 1)
    signed = []
    for line in lines.splitlines():
        _, name, b64 = line.split(" ")
        raw = base64.b64decode(b64)
        if name in witnesses and first <= struct.unpack(">Q", raw[4:12])[0] <= last:
            signed.append((name.encode(), raw))
    seed = parts(b"opsec/sample/seed/v1", digest, (body + "\n").encode(), *min(signed, default=()))
    frames = {f["procedure"]: f for f in freeze["frames"]}
    print(json.dumps({
        "seed": seed.hex(),
        "samples": {p: draw(seed, frames[p], len(s)) for p, s in d["samples"].items()},
        "roots": {f["procedure"]: root([sha(b"\0\0" + i.encode()) for i in f["items"]]).hex() for f in d.get("frames", [])},
    }))


main(*sys.argv[1:])
