// SPDX-License-Identifier: Apache-2.0
// gestalt-masterd: the scheduler, its Marathon API on 8080 and its Mesos state on 5050.
#include "node/master/body.h"

int main(int argc, char** argv) { return rest::run_daemon(argc, argv, node::master::make_spec()); }
