// SPDX-License-Identifier: Apache-2.0
// Gives a container that crun has created, and that waits, to systemd, and lets it go.
//
// systemd must know the container's process before it runs: a program that ends at once would
// leave no exit status otherwise. So: MAINPID and READY, then a barrier, which systemd answers when
// it has read what came before; then the byte that `crun start` would write.
// Source: sd_notify(3), crun 1.8 libcrun_status_write_exec_fifo.
#pragma once

namespace oci_start {

// `pid_file` as crun wrote it. False after one line on stderr: the container was not let go.
bool hand_over(const char* pid_file, const char* fifo);

}  // namespace oci_start
