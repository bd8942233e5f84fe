"""A first call in Python: may this company sell?

Usage: first_call.py PROFILE CUIT
"""

import pathlib
import sys
import tempfile

import puente_client

profile, cuit = sys.argv[1:]
puente_client.generate(pathlib.Path(tempfile.mkdtemp()))
from puente.sellers.v1 import sellers_pb2, sellers_pb2_grpc  # noqa: E402

channel = puente_client.Partner(profile).channel()
sellers = sellers_pb2_grpc.SellerServiceStub(channel)
answer = sellers.VerifySeller(sellers_pb2.VerifySellerRequest(cuit=cuit)).answer
print(answer.cuit, sellers_pb2.Verdict.Name(answer.verdict))
