// Which sequence every row of a decoding batch works on. A row whose sequence has ended makes room: a sequence that waits
// takes its slot, which is its place in the caches, or the batch moves to a smaller bucket. Bookkeeping on the host only.
#pragma once
#include <cstdint>
#include <vector>

namespace vsgrpo {

struct DecodingRow {
  int64_t sequence;
  int32_t slot;
  int64_t from;  // the row that the sequence had before the last refit; -1: it has just come in
};

// Rows that are computed for `count` sequences: one of the few sizes that steps are recorded for. 0 stays 0.
int64_t decoding_bucket(int64_t count);

class Schedule {
 public:
  // Every sequence has its first token and may have `steps` more; at most `most_rows` are worked on at a time.
  Schedule(int64_t sequences, int64_t steps, int64_t most_rows);

  // In the sequences' order, so that those of one prompt are neighbours.
  const std::vector<DecodingRow>& rows() const { return rows_; }
  int64_t bucket() const { return bucket_; }

  // Drops ended rows and lets waiting sequences in, where that fills free slots or reaches a smaller bucket. Says whether
  // rows() have changed.
  bool refit();
  // Steps until the last row is through, at most `most`; 0: all sequences have ended.
  int64_t steps(int64_t most) const;
  void ran(int64_t steps);      // by every row
  void stop(int64_t sequence);  // it takes no more tokens

 private:
  bool has_ended(int64_t sequence) const { return left_[static_cast<size_t>(sequence)] <= 0; }
  std::vector<DecodingRow> live_rows() const;
  void let_in(std::vector<DecodingRow>& rows);

  std::vector<int64_t> left_;  // steps of each sequence
  std::vector<DecodingRow> rows_;
  int64_t slots_, bucket_ = 0;
  int64_t next_ = 0;  // the first sequence that waits
};

}  // namespace vsgrpo
