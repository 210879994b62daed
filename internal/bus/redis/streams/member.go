package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ID names an entry.
type ID struct{ Stream, Entry string }

// Entry is one message of a stream.
type Entry struct {
	ID     ID
	Fields []string // name, value, …
}

// Member is one consumer of a group that several streams have, under a lease. It is alive for as long as
// Renew is called more often than every LeaseTime.
type Member struct {
	store     *Store
	group     string
	streams   []string
	name      string
	exclusive bool
}

// LeaseTime is how long a consumer that has died keeps what it was given, and
// keeps others out if it was exclusive.
const LeaseTime = 5 * time.Second

// Member returns a consumer of a group; name is one that nobody else has, or
// ever had.
func (s *Store) Member(group string, streams []string, name string, exclusive bool) *Member {
	return &Member{store: s, group: group, streams: streams, name: name, exclusive: exclusive}
}

// Renew takes the lease or prolongs it, and returns the server's time. ErrTaken
// says that another one's lease forbids it.
func (m *Member) Renew(ctx context.Context) (time.Time, error) {
	ms, err := leaseScript.Run(ctx, m.store.rdb, leaseKeys(m.group), m.name, LeaseTime.Milliseconds(), flag(m.exclusive)).Int64()
	if err != nil {
		return time.Time{}, err
	}
	if ms < 0 {
		return time.Time{}, ErrTaken
	}
	return time.UnixMilli(ms), nil
}

// Release gives the lease back: others take over at once what was not acknowledged.
func (m *Member) Release(ctx context.Context) error {
	return m.store.rdb.ZRem(ctx, leaseKeys(m.group)[0], m.name).Err()
}

func leaseKeys(group string) []string {
	return []string{Prefix + "consumers:" + group, Prefix + "exclusive:" + group}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Claim takes over up to n entries of consumers that are no more.
func (m *Member) Claim(ctx context.Context, n int) ([]Entry, error) {
	for _, stream := range m.streams {
		keys := []string{leaseKeys(m.group)[0], stream}
		reply, err := claimScript.Run(ctx, m.store.rdb, keys, m.group, m.name, n).Slice()
		if err != nil {
			return nil, err
		}
		if entries := readEntries(nil, stream, reply); len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, nil
}

// Read returns new entries, up to n in all, or none after the wait.
func (m *Member) Read(ctx context.Context, n int, wait time.Duration, noAck bool) ([]Entry, error) {
	each := max(1, n/len(m.streams)) // COUNT is for each stream: when n is below their number, a few more come
	args := []any{"XREADGROUP", "GROUP", m.group, m.name, "COUNT", each, "BLOCK", wait.Milliseconds()}
	if noAck {
		args = append(args, "NOACK")
	}
	args = append(args, "STREAMS")
	for _, s := range m.streams {
		args = append(args, s)
	}
	for range m.streams {
		args = append(args, ">")
	}
	cmd := redis.NewSliceCmd(ctx, args...)
	if err := m.process(ctx, cmd); err != nil {
		return nil, err
	}
	var out []Entry
	for _, s := range cmd.Val() {
		pair, ok := s.([]any)
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("unexpected reply %v", s)
		}
		stream, _ := pair[0].(string)
		entries, _ := pair[1].([]any)
		out = readEntries(out, stream, entries)
	}
	return out, nil
}

// process treats the end of the wait as no error.
func (m *Member) process(ctx context.Context, cmd *redis.SliceCmd) error {
	err := m.store.rdb.Process(ctx, cmd)
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// Ack says that entries are dealt with.
func (m *Member) Ack(ctx context.Context, ids []ID) error {
	for _, stream := range m.streams {
		var of []string
		for _, id := range ids {
			if id.Stream == stream {
				of = append(of, id.Entry)
			}
		}
		if len(of) == 0 {
			continue
		}
		if err := m.store.rdb.XAck(ctx, stream, m.group, of...).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Bury copies an entry, with fields added, to other streams, and acknowledges it.
func (m *Member) Bury(ctx context.Context, id ID, to []Target, fields []string) error {
	keys, args := []string{id.Stream, lostKey}, []any{m.group, id.Entry}
	for _, t := range to {
		keys, args = append(keys, t.Stream), append(args, t.Max)
	}
	for _, f := range fields {
		args = append(args, f)
	}
	return buryScript.Run(ctx, m.store.rdb, keys, args...).Err()
}

// Trim removes from the streams what every group has dealt with. It returns what
// remains, and how many entries this group has lost to a bound so far.
func (m *Member) Trim(ctx context.Context) (length, lost int, err error) {
	for _, stream := range m.streams {
		n, err := trimScript.Run(ctx, m.store.rdb, []string{stream, lostKey}, m.group).Int64Slice()
		switch {
		case err != nil:
			return 0, 0, fmt.Errorf("trim %s: %w", stream, err)
		case len(n) != 2:
			return 0, 0, fmt.Errorf("trim %s: unexpected reply %v", stream, n)
		}
		length, lost = length+int(n[0]), int(n[1])
	}
	return length, lost, nil
}

// readEntries appends [[id, [name, value, …]], …].
func readEntries(out []Entry, stream string, reply []any) []Entry {
	for _, r := range reply {
		pair, ok := r.([]any)
		if !ok || len(pair) != 2 {
			continue
		}
		e := Entry{ID: ID{Stream: stream}}
		e.ID.Entry, _ = pair[0].(string)
		flat, _ := pair[1].([]any)
		for _, f := range flat {
			s, _ := f.(string)
			e.Fields = append(e.Fields, s)
		}
		out = append(out, e)
	}
	return out
}
