// Generators that keep prompts: a conversation that goes on has the answers that it has anew.
#include <algorithm>
#include <atomic>

#include "engine/generator_fixture.h"

namespace namesake::test {

TEST_CASE("a conversation that goes on computes what was added to it, to the answers that it has anew") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    Random random("conversation");
    const auto ids = [&](std::int64_t n) { return random_ids(random, *model, n); };
    const auto extend = [](std::vector<std::int32_t>& prompt, const std::vector<std::int32_t>& more) { prompt.insert(prompt.end(), more.begin(), more.end()); };
    std::vector<GenerateRequest> sides(2);
    for (GenerateRequest& side : sides) side.max_tokens = 9;
    sides[1].adapter = false;
    sides[0].prompt = sides[1].prompt = ids(23);

    auto generator = Generator::create(model, adapter, 2, Asked::in_conversation).take();
    const auto turn = [&](const char* what, std::int64_t computed) {
      CAPTURE(what);
      const auto results = generator->run(sides, {}, nullptr).take();
      check_same(results, answers(model, adapter, sides, 2));
      CHECK(generator->times().prompt_tokens == computed);
      return results;
    };
    auto said = turn("the first", 46);
    turn("again: the last token's logits are wanted", 2);
    std::int64_t added = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      extend(sides[i].prompt, said[i].tokens);
      extend(sides[i].prompt, ids(5));
      added += static_cast<std::int64_t>(said[i].tokens.size()) + 5;
    }
    turn("goes on", added);
    std::swap(sides[0], sides[1]);
    extend(sides[0].prompt, ids(3));
    turn("the other way round", 3 + 1);
    const auto other = sides[1].prompt;
    sides.resize(1);
    extend(sides[0].prompt, ids(4));
    turn("one side alone", 4);
    sides[0].adapter = !sides[0].adapter;
    const auto differs = std::mismatch(other.begin(), other.end(), sides[0].prompt.begin(), sides[0].prompt.end()).second;
    turn("as the other side", sides[0].prompt.end() - differs);
    sides[0].prompt = ids(12);
    turn("another conversation", 12);
    sides[0].max_tokens = 60;
    extend(sides[0].prompt, ids(250));
    turn("grown", static_cast<std::int64_t>(sides[0].prompt.size()));
    extend(sides[0].prompt, ids(2));
    turn("grown, and going on", 2);
    generator->set_adapter(adapter);
    turn("another adapter", static_cast<std::int64_t>(sides[0].prompt.size()));

    // Cut short in its prompt: what was not computed is not taken for kept.
    std::atomic<bool> cancel{true};
    extend(sides[0].prompt, ids(6));
    CHECK(generator->run(sides, {}, &cancel).take()[0].reason == StopReason::cancelled);
    turn("after a cancelled turn", 6);
  }, kEveryFamily);
}

TEST_CASE("what a cancelled turn wrote over is not taken for kept") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    Random random("overwritten");
    std::vector<GenerateRequest> sides(2);
    for (GenerateRequest& side : sides) {
      side.prompt = random_ids(random, *model, 270);
      side.max_tokens = 3;
    }
    sides[1].adapter = false;
    const auto whole = answers(model, adapter, sides, 2);
    auto generator = Generator::create(model, adapter, 2, Asked::in_conversation).take();
    check_same(generator->run(sides, {}, nullptr).take(), whole);
    // Two prompts are more than one pass: the first has its token when the second is half done.
    auto others = sides;
    for (GenerateRequest& other : others) other.prompt = random_ids(random, *model, 270);
    std::atomic<bool> cancel{false};
    const auto cut = generator->run(others, [&](std::size_t, std::int32_t) { cancel = true; }, &cancel).take();
    CHECK(cut[1].tokens.empty());
    check_same(generator->run(sides, {}, nullptr).take(), whole);
    CHECK(generator->times().prompt_tokens == 540);
  });
}

TEST_CASE("more requests than slots, and prompts that begin alike, are answered by a generator that keeps prompts") {
  on_every_model([](const std::shared_ptr<Model>& model, const std::shared_ptr<Adapter>& adapter) {
    const auto requests = mixed_requests(*model);
    const auto whole = answers(model, adapter, requests, 3);
    auto generator = Generator::create(model, adapter, 3, Asked::in_conversation).take();
    for (int turn = 0; turn < 3; ++turn) check_same(generator->run(requests, {}, nullptr).take(), whole);
  });
}

}  // namespace namesake::test
