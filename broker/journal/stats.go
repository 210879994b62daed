package journal

import "time"

// Stats are a journal's figures; those without "now" count since it was opened.
type Stats struct {
	Segments  int   // now
	Bytes     int64 // of the segments, without space reserved ahead, now
	LiveBytes int64 // of records of messages that a queue still has, about, now
	Messages  int   // that a queue still has, now
	Pending   int   // bytes that wait to be written, now
	Full      bool  // whether the disk is full, now
	Failed    bool  // whether the disk failed, now

	Appended       uint64        // messages
	AppendedBytes  uint64        // of records, done records and copies included
	Syncs          uint64        // batches of messages made durable
	SyncTime       time.Duration // spent on that
	Removed        uint64        // segments
	Compacted      uint64        // segments
	CompactedBytes uint64        // copied for that
	Damaged        uint64        // regions of segments found damaged at Open
	SetAside       uint64        // segments copied aside for that
	Torn           uint64        // torn ends cut at Open, 0 or 1
}

// Stats returns the journal's figures.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.stats
	st.Segments = len(j.segments)
	for _, s := range j.segments {
		st.Bytes += s.size
		st.LiveBytes += s.live
		st.Messages += s.records
	}
	st.Pending = j.filling.bytes + j.flushing.bytes
	st.Full, st.Failed = j.full != nil, j.failed != nil
	return st
}
