// SPDX-License-Identifier: Apache-2.0
// What every packet filter backend must do, as tests on a real kernel: a suite instantiates it with
// FIREWALL_CONFORMANCE(group), whose members are `nodes` (TwoNodes) and `backend`.
#pragma once

#include "netfw/model/backend.h"
#include "tests/unit/netfw/netns.h"

namespace netfw_test {

// The zones of TwoNodes: the first manages, the second is the cluster.
netfw::Policy test_policy();
// Probes from every zone find what the model says.
void check_kernel(const TwoNodes& nodes, const netfw::FirewallIr& ir);

void the_kernel_decides_as_the_model_for_random_rules(const TwoNodes& nodes,
                                                      netfw::FwBackend& backend);
void sets_that_are_not_there_yet_are_told_and_then_made(const TwoNodes& nodes,
                                                        netfw::FwBackend& backend);
void a_second_apply_writes_nothing(const TwoNodes& nodes, netfw::FwBackend& backend);
void a_change_of_members_is_seen_by_the_next_packet(const TwoNodes& nodes,
                                                    netfw::FwBackend& backend);
void the_sets_of_instances_survive_an_apply_of_the_policy(const TwoNodes& nodes,
                                                          netfw::FwBackend& backend);
void no_packet_is_lost_or_leaks_while_rules_and_members_change(const TwoNodes& nodes,
                                                               netfw::FwBackend& backend);
void a_live_flow_ends_when_its_instance_is_revoked_and_others_go_on(const TwoNodes& nodes,
                                                                    netfw::FwBackend& backend);
void tcp_flows_of_either_family_end_when_they_are_revoked(const TwoNodes& nodes,
                                                          netfw::FwBackend& backend);
void members_that_overlap_or_touch_are_kept_apart(const TwoNodes& nodes, netfw::FwBackend& backend);
void changes_that_are_there_already_are_no_error(const TwoNodes& nodes, netfw::FwBackend& backend);
void many_members_fit(const TwoNodes& nodes, netfw::FwBackend& backend);
void after_removal_everything_passes(const TwoNodes& nodes, netfw::FwBackend& backend);

}  // namespace netfw_test

#define FIREWALL_TEST(group, name) \
  TEST(group, name) { netfw_test::name(nodes, *backend); }
#define FIREWALL_CONFORMANCE(group)                                                    \
  FIREWALL_TEST(group, the_kernel_decides_as_the_model_for_random_rules)               \
  FIREWALL_TEST(group, sets_that_are_not_there_yet_are_told_and_then_made)             \
  FIREWALL_TEST(group, a_second_apply_writes_nothing)                                  \
  FIREWALL_TEST(group, a_change_of_members_is_seen_by_the_next_packet)                 \
  FIREWALL_TEST(group, the_sets_of_instances_survive_an_apply_of_the_policy)           \
  FIREWALL_TEST(group, no_packet_is_lost_or_leaks_while_rules_and_members_change)      \
  FIREWALL_TEST(group, a_live_flow_ends_when_its_instance_is_revoked_and_others_go_on) \
  FIREWALL_TEST(group, tcp_flows_of_either_family_end_when_they_are_revoked)           \
  FIREWALL_TEST(group, members_that_overlap_or_touch_are_kept_apart)                   \
  FIREWALL_TEST(group, changes_that_are_there_already_are_no_error)                    \
  FIREWALL_TEST(group, many_members_fit)                                               \
  FIREWALL_TEST(group, after_removal_everything_passes)
