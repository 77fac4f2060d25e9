// SPDX-License-Identifier: Apache-2.0
// A whole service on one page: notes of an organisation. What the framework is tested with, and
// what docs/howto/add-a-service.md explains.
#pragma once

#include <memory>

#include "services/framework/host.h"
#include "services/framework/service.h"

namespace services::test {

class Notes final : public Service {
 public:
  std::string_view name() const override { return "notes"; }
  std::string_view mount() const override { return "/notes"; }
  Dialect dialect() const override { return Dialect::meta; }
  std::vector<store::Collection> collections() const override;
  std::vector<Schema> schemas() const override;
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;

  int prepared = 0;  // how often `prepare` ran
};

}  // namespace services::test
