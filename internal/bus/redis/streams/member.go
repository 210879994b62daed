package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is one message of a stream.
type Entry struct {
	ID     string
	Fields []string // name, value, …
}

// Member is one consumer of a group, under a lease. It is alive for as long as
// Renew is called more often than every LeaseTime.
type Member struct {
	store     *Store
	group     Group
	name      string
	exclusive bool
}

// LeaseTime is how long a consumer that has died keeps what it was given, and
// keeps others out if it was exclusive.
const LeaseTime = 5 * time.Second

// Member returns a consumer of a group; name is one that nobody else has, or
// ever had.
func (s *Store) Member(g Group, name string, exclusive bool) *Member {
	return &Member{store: s, group: g, name: name, exclusive: exclusive}
}

// Renew takes the lease or prolongs it, and returns the server's time. ErrTaken
// says that another one's lease forbids it.
func (m *Member) Renew(ctx context.Context) (time.Time, error) {
	ms, err := leaseScript.Run(ctx, m.store.rdb, leaseKeys(m.group.Name), m.name, LeaseTime.Milliseconds(), flag(m.exclusive)).Int64()
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
	return m.store.rdb.ZRem(ctx, leaseKeys(m.group.Name)[0], m.name).Err()
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
	keys := []string{leaseKeys(m.group.Name)[0], m.group.Stream}
	reply, err := claimScript.Run(ctx, m.store.rdb, keys, m.group.Name, m.name, n).Slice()
	if err != nil {
		return nil, err
	}
	return readEntries(reply), nil
}

// Read returns up to n new entries, or none after the wait.
func (m *Member) Read(ctx context.Context, n int, wait time.Duration, noAck bool) ([]Entry, error) {
	args := []any{"XREADGROUP", "GROUP", m.group.Name, m.name, "COUNT", n, "BLOCK", wait.Milliseconds()}
	if noAck {
		args = append(args, "NOACK")
	}
	cmd := redis.NewSliceCmd(ctx, append(args, "STREAMS", m.group.Stream, ">")...)
	if err := m.process(ctx, cmd); err != nil {
		return nil, err
	}
	streams := cmd.Val()
	if len(streams) == 0 {
		return nil, nil
	}
	s, ok := streams[0].([]any)
	if !ok || len(s) != 2 {
		return nil, fmt.Errorf("unexpected reply %v", streams[0])
	}
	entries, _ := s[1].([]any)
	return readEntries(entries), nil
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
func (m *Member) Ack(ctx context.Context, ids ...string) error {
	return m.store.rdb.XAck(ctx, m.group.Stream, m.group.Name, ids...).Err()
}

// Bury copies an entry, with fields added, to other streams, and acknowledges it.
func (m *Member) Bury(ctx context.Context, id string, to []Target, fields []string) error {
	keys, args := []string{m.group.Stream, lostKey}, []any{m.group.Name, id}
	for _, t := range to {
		keys, args = append(keys, t.Stream), append(args, t.Max)
	}
	for _, f := range fields {
		args = append(args, f)
	}
	return buryScript.Run(ctx, m.store.rdb, keys, args...).Err()
}

// Trim removes from the stream what every group has dealt with. It returns what
// remains, and how many entries this group has lost to a bound so far.
func (m *Member) Trim(ctx context.Context) (length, lost int, err error) {
	n, err := trimScript.Run(ctx, m.store.rdb, []string{m.group.Stream, lostKey}, m.group.Name).Int64Slice()
	if err != nil || len(n) != 2 {
		return 0, 0, fmt.Errorf("trim %s: %w", m.group.Stream, err)
	}
	return int(n[0]), int(n[1]), nil
}

// readEntries reads [[id, [name, value, …]], …].
func readEntries(reply []any) []Entry {
	out := make([]Entry, 0, len(reply))
	for _, r := range reply {
		pair, ok := r.([]any)
		if !ok || len(pair) != 2 {
			continue
		}
		e := Entry{}
		e.ID, _ = pair[0].(string)
		flat, _ := pair[1].([]any)
		for _, f := range flat {
			s, _ := f.(string)
			e.Fields = append(e.Fields, s)
		}
		out = append(out, e)
	}
	return out
}
