# SPDX-License-Identifier: Apache-2.0
"""HTTPS on a node as it is installed: a certificate that is put into the folder is served at once, a new one takes its place, and
HAProxy is not reloaded. The instance behind it is a small server of the test."""
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

import frame
import appliance

FOLDER = "/etc/gestalt/certificates"


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, *_):
        pass


class Https(unittest.TestCase):
    def setUp(self):
        self.bed = appliance.fresh_bed()
        self.bed.create()
        self.addCleanup(self.bed.remove)
        self.node = appliance.Appliance(self.bed).boot()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        host = self.bed.network.address(1)[0]
        server = self.enterContext(http.server.ThreadingHTTPServer((host, 0), Echo))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.node.node.run(["systemctl", "stop", "gestalt-masterd"])  # it would send its own services
        labels = {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "web.demo", "HAPROXY_0_REDIRECT_TO_HTTPS": "true",
                  "HAPROXY_0_USE_HSTS": "true"}
        self.put("/v1/services", {"generation": 1 << 40, "services": [{
            "id": "/web", "labels": labels, "ports": [{"index": 0, "service_port": 10001, "protocol": "tcp"}]}]})
        self.put("/v1/instances/i1", {"service": "/web", "node": "other", "address": host, "ports": [server.server_port],
                                      "state": "healthy"})

    def put(self, path, body):
        self.node.socket("netfwd", "PUT", path, body)

    def make(self, name):
        """A certificate for web.demo; its file."""
        key, certificate, both = (self.folder / f"{name}.{kind}" for kind in ("key", "crt", "pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", "/CN=web", "-addext", "subjectAltName=DNS:web.demo", "-keyout", key, "-out", certificate],
                       check=True, stderr=subprocess.DEVNULL)
        both.write_text(certificate.read_text() + key.read_text())
        return both

    def get(self, url, *options):
        argv = ["curl", "-sS", "-i", "--max-time", "5", "--resolve", f"web.demo:443:{self.node.node.v4}", "--resolve",
                f"web.demo:80:{self.node.node.v4}", *map(str, options), url]
        return subprocess.run(argv, capture_output=True, text=True).stdout

    def wait_served(self, trust):
        end = time.monotonic() + 10
        while "here" not in self.get("https://web.demo/", "--cacert", trust):
            self.assertLess(time.monotonic(), end, "not served: " + self.get("https://web.demo/", "-k"))
            time.sleep(0.1)

    def haproxy_pid(self):
        return json.loads(self.node.socket("netfwd", "GET", "/v1/status"))["haproxy"]["pid"]

    def test_certificates_come_and_change_while_it_serves(self):
        self.assertIn("here", self.get("https://web.demo/", "-k"))  # the node's own
        self.assertIn("200 OK", self.get("http://web.demo/"))
        pid = self.haproxy_pid()
        first, second = self.make("first"), self.make("second")
        self.node.node.copy_in(first, f"{FOLDER}/web.pem")
        self.wait_served(first)
        self.assertIn("strict-transport-security", self.get("https://web.demo/", "-k"))
        self.assertIn("301", self.get("http://web.demo/").splitlines()[0])
        self.node.node.copy_in(second, f"{FOLDER}/web.pem")
        self.node.node.run(["systemctl", "reload", "gestalt-netfwd"])
        self.wait_served(second)
        self.assertNotIn("here", self.get("https://web.demo/", "--cacert", first))
        self.assertEqual(self.haproxy_pid(), pid)
        # HAProxy's next life reads the same from its files.
        self.node.node.run(["systemctl", "restart", "gestalt-haproxy"])
        self.wait_served(second)


if __name__ == "__main__":
    frame.main()
