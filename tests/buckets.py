"""An S3 server for tests (moto), which can insist on knowing who is asking; and its people."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from chorus.client.process import free_port

READ = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%s,"Resource":"*"}]}'
READER = '["s3:ListBucket","s3:GetObject"]'
OWNER = '["s3:*"]'


class Buckets:
    """A running S3 server. `s3` is its owner's client; `keys` are pairs by name."""

    def __init__(self, url: str) -> None:
        import boto3  # a second to load, and few tests need it

        self.url = url
        self.keys: dict[str, dict[str, str]] = {}
        how = {"endpoint_url": url, "region_name": "us-east-1"}
        nobody: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
        iam = boto3.client("iam", **how, **nobody)
        for name, actions in (("owner", OWNER), ("reader", READER), ("stranger", None)):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            if actions is not None:
                policy = READ % actions
                iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
            self.keys[name] = {
                "access_key": key["AccessKeyId"],
                "secret_key": key["SecretAccessKey"],
            }
        owner = self.keys["owner"]
        self.s3 = boto3.client(
            "s3", aws_access_key_id=owner["access_key"],
            aws_secret_access_key=owner["secret_key"], **how,
        )  # fmt: skip

    @contextmanager
    def strict(self) -> Iterator[None]:
        """Every request needs a key that may do it. (moto then knows no signed addresses, by which
        files are read, so only inside of this.)"""
        self._free(0)
        try:
            yield
        finally:
            self._free(1_000_000)

    def _free(self, requests: int) -> None:
        body = str(requests).encode()
        httpx.post(f"{self.url}/moto-api/reset-auth", content=body, trust_env=False)

    def make(self, name: str, files: dict[str, bytes]) -> None:
        self.s3.create_bucket(Bucket=name)
        for key, data in files.items():
            self.put(name, key, data)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=data)

    def remove(self, bucket: str, key: str) -> None:
        self.s3.delete_object(Bucket=bucket, Key=key)


@contextmanager
def buckets() -> Iterator[Buckets]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        comes_up(f"{url}/moto-api/data.json", process)
        yield Buckets(url)
    finally:
        process.kill()
        process.wait()


def comes_up(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until something answers at the address of a server that has been started."""
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.get(address, trust_env=False, timeout=30)
            return
        except httpx.TransportError:
            assert process.poll() is None, f"the server of {address} ended"
            assert time.monotonic() < deadline, f"the server of {address} does not come up"
            time.sleep(0.05)
