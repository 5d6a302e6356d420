"""Prints tokens that PyJWT makes, one JSON object a line, with the key set that is for them.

Keys are made anew for each run. `expect` is the status that a trigger answers.
"""

import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

KINDS = {
    "RS": (RSAAlgorithm, lambda: rsa.generate_private_key(65537, 2048)),
    "HS": (HMACAlgorithm, lambda: secrets.token_bytes(64)),
    "ES256": (ECAlgorithm, lambda: ec.generate_private_key(ec.SECP256R1())),
    "ES384": (ECAlgorithm, lambda: ec.generate_private_key(ec.SECP384R1())),
    "ES512": (ECAlgorithm, lambda: ec.generate_private_key(ec.SECP521R1())),
    "EdDSA": (OKPAlgorithm, ed25519.Ed25519PrivateKey.generate),
}
KINDS["PS"] = KINDS["RS"]

ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES", "HS") for bits in (256, 384, 512)]
ALGORITHMS.append("EdDSA")


def main():
    now = int(time.time())
    claims = {"sub": "alice", "name": "王", "iat": now, "nbf": now, "exp": now + 300}
    for algorithm in ALGORITHMS:
        kind, generate = KINDS.get(algorithm) or KINDS[algorithm[:2]]
        key, other = generate(), generate()
        public = key if isinstance(key, bytes) else key.public_key()
        jwk = json.loads(kind.to_jwk(public)) | {"kid": "one", "alg": algorithm, "use": "sig"}
        headers = {"kid": "one"}

        def case(name, expect, by=key, claims=claims, headers=headers):
            token = jwt.encode(claims, by, algorithm=algorithm, headers=headers)
            line = {"name": f"{algorithm}/{name}", "expect": expect, "token": token}
            print(json.dumps(line | {"jwks": {"keys": [jwk]}}))

        case("good", 200)
        case("without-kid", 200, headers=None)
        case("fractions", 200, claims=claims | {"exp": now + 300.5, "nbf": now - 0.5})
        case("other-key", 403, by=other)
        case("other-kid", 403, headers={"kid": "two"})
        case("expired", 403, claims=claims | {"exp": now - 61})
        case("not-yet", 403, claims=claims | {"nbf": now + 300})
        case("endless", 403, claims={"sub": "alice"})
        case("crit", 403, headers={"kid": "one", "crit": ["x"], "x": 1})


main()
