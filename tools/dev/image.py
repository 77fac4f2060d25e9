# SPDX-License-Identifier: Apache-2.0
"""The sample's OCI image, made on this machine from busybox and the sample binary: an image layout folder."""
import pathlib
import shutil
import tempfile

import build
import run

TAG = "latest"


def make_guestbook(preset, layout):
    """Writes the layout folder anew and returns it. The same binaries give an image in some 100 ms."""
    layout = pathlib.Path(layout)
    shutil.rmtree(layout, ignore_errors=True)
    image = f"{layout}:{TAG}"
    with tempfile.TemporaryDirectory(prefix="gestalt-image-") as folder:
        root = pathlib.Path(folder, "root")
        for part in ("bin", "data", "dev", "etc", "proc", "sys", "tmp"):
            (root / part).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000:guest:/data:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nguest:x:1000:\n")
        shutil.copy2("/bin/busybox", root / "bin/busybox")
        (root / "bin/sh").symlink_to("busybox")
        run.output(["strip", "-o", root / "bin/guestbook", build.folder(preset) / "samples/guestbook"])
        run.output(["umoci", "init", "--layout", layout])
        run.output(["umoci", "new", "--image", image])
        run.output(["umoci", "insert", "--image", image, root, "/"])
        run.output(["umoci", "config", "--image", image, "--config.entrypoint", "/bin/guestbook",
                    "--config.workingdir", "/"])
    return layout
