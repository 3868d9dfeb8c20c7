"""HEALTHCHECK of the image: exit code 0 when the web process answers at HEALTH_URL."""

import os
import ssl
import sys
import urllib.request

URL = os.environ.get("HEALTH_URL", "https://127.0.0.1:9400/livez")
# The certificate is for the names that people use, not for this address; no probe of Kubernetes checks it either.
context = ssl._create_unverified_context()  # noqa: S323, SLF001 - nothing secret is sent or believed
straight = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
)
try:
    with straight.open(URL, timeout=4):
        pass
except OSError as error:
    sys.exit(f"{URL}: {error}")
