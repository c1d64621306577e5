"""Signs requests with botocore: a request of JSON a line in, its headers a line out."""

import base64
import datetime
import json
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

now = None
botocore.auth.get_current_datetime = lambda *_, **__: now

for line in sys.stdin:
    r = json.loads(line)
    now = datetime.datetime.fromtimestamp(r["at"], datetime.timezone.utc)
    request = AWSRequest(method=r["method"], url=r["url"], data=base64.b64decode(r["body"]), headers=r["headers"])
    credentials = Credentials(r["key"], r["secret"], r["token"] or None)
    botocore.auth.SigV4Auth(credentials, r["service"], r["region"]).add_auth(request)
    wanted = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")
    print(json.dumps({name.lower(): request.headers[name] or "" for name in wanted}), flush=False)
