// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-meta: a metadata server of the distributed file system; clients on 7861, its peers on
// 7862, administration on 7860.
#include "dfs/meta/body.h"

int main(int argc, char** argv) { return rest::run_daemon(argc, argv, dfs::meta::make_spec()); }
