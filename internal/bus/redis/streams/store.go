package streams

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Prefix of all keys and channels: see the package comment.
const Prefix = "{thump}:"

const (
	tableKey = Prefix + "topology"
	lostKey  = Prefix + "lost"
)

// ErrStale means that the table has changed since it was last declared.
var ErrStale = errors.New("the topology in Redis has changed")

// ErrTaken means that another consumer's lease forbids this one.
var ErrTaken = errors.New("another consumer has it exclusively")

// Store is one pipeline's data in a Redis. Its methods may be called from any
// goroutine.
type Store struct{ rdb redis.UniversalClient }

// Open returns the store at a URL. It connects when it is first used; name is
// what CLIENT LIST shows, base how a server with TLS is checked; nil: as its URL says.
func Open(rawURL, name string, base *tls.Config) (*Store, error) {
	logging.Disable() // what fails is returned; the client would write it to stderr besides
	rdb, err := connect(rawURL, strings.Map(printable, name), base)
	if err != nil {
		return nil, err
	}
	return &Store{rdb}, nil
}

// printable keeps what CLIENT SETNAME takes.
func printable(r rune) rune {
	if r <= ' ' || r > '~' {
		return '_'
	}
	return r
}

// Close ends all connections; whoever waits on one sees an error.
func (s *Store) Close() error { return s.rdb.Close() }

// Ping asks whether the server is there.
func (s *Store) Ping(ctx context.Context) error { return s.rdb.Ping(ctx).Err() }

// Redis is the client itself.
func (s *Store) Redis() redis.UniversalClient { return s.rdb }

// Pair is an entry of the table.
type Pair struct{ Name, Value string }

// Group is a consumer group of a stream.
type Group struct{ Stream, Name string }

// Table is what has been declared, and its version.
type Table struct {
	Version string
	Entries map[string]string
}

// Declare adds entries to the table, makes groups, and returns the whole table.
// What is there already stays as it is.
func (s *Store) Declare(ctx context.Context, pairs []Pair, groups []Group) (*Table, error) {
	args := []any{len(pairs)}
	for _, p := range pairs {
		args = append(args, p.Name, p.Value)
	}
	for _, g := range groups {
		args = append(args, g.Stream, g.Name)
	}
	flat, err := declareScript.Run(ctx, s.rdb, []string{tableKey}, args...).StringSlice()
	if err != nil {
		return nil, err
	}
	t := &Table{Entries: make(map[string]string, len(flat)/2)}
	for i := 0; i+1 < len(flat); i += 2 {
		t.Entries[flat[i]] = flat[i+1]
	}
	t.Version = t.Entries["version"]
	delete(t.Entries, "version")
	return t, nil
}

// Target is a stream with the number of entries that it may hold.
type Target struct {
	Stream string
	Max    int
}

// Published is what became of a message.
type Published struct {
	Reached int    // streams and subscribers of channels
	Dropped int    // entries that fell out of a bound, unread by a group
	Whose   string // that group
}

// Publish adds an entry to streams and sends it to channels, all or nothing.
// With replicas it waits until so many of them have it, for at most a second.
func (s *Store) Publish(ctx context.Context, version string, to []Target, channels []string, fields []string, replicas int) (Published, error) {
	keys := make([]string, 0, 2+len(to))
	keys = append(keys, tableKey, lostKey)
	args := make([]any, 0, 2+len(channels)+len(to)+len(fields))
	args = append(args, version, len(channels))
	for _, c := range channels {
		args = append(args, c)
	}
	for _, t := range to {
		keys, args = append(keys, t.Stream), append(args, t.Max)
	}
	for _, f := range fields {
		args = append(args, f)
	}
	reply, err := s.run(ctx, publishScript, keys, args, replicas)
	if err != nil {
		return Published{}, err
	}
	return readPublished(reply)
}

// errTooFew is a message that Redis has, but fewer replicas than wanted.
var errTooFew = errors.New("not on enough replicas")

// run evaluates a script, and waits for replicas on the same connection.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args []any, replicas int) (any, error) {
	if replicas == 0 {
		return script.Run(ctx, s.rdb, keys, args...).Result()
	}
	node, err := s.master(ctx)
	if err != nil {
		return nil, err
	}
	pipe := node.Pipeline()
	done := script.Eval(ctx, pipe, keys, args...)
	copies := pipe.Do(ctx, "WAIT", replicas, 1000)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	if n, err := copies.Int(); err != nil || n < replicas {
		return nil, fmt.Errorf("%w: %d of %d", errTooFew, n, replicas)
	}
	return done.Result()
}

// master is the node that holds our keys.
func (s *Store) master(ctx context.Context) (redis.UniversalClient, error) {
	if c, ok := s.rdb.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, Prefix)
	}
	return s.rdb, nil
}

func readPublished(reply any) (Published, error) {
	r, ok := reply.([]any)
	if !ok || len(r) != 3 {
		return Published{}, fmt.Errorf("unexpected reply %v", reply)
	}
	reached, _ := r[0].(int64)
	dropped, _ := r[1].(int64)
	whose, _ := r[2].(string)
	if reached < 0 {
		return Published{}, ErrStale
	}
	return Published{Reached: int(reached), Dropped: int(dropped), Whose: whose}, nil
}

// Refused tells whether an error is the server's answer rather than the loss of
// the link to it, or of its being the one to talk to.
func Refused(err error) bool {
	if errors.Is(err, errTooFew) {
		return true
	}
	var answer redis.Error
	if !errors.As(err, &answer) || errors.Is(err, redis.Nil) {
		return false
	}
	for _, gone := range []string{"READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOGROUP", "NOAUTH", "UNBLOCKED"} {
		if strings.HasPrefix(answer.Error(), gone) {
			return false
		}
	}
	return true
}

// Condition is what an operator should know of a server.
type Condition struct {
	Version    string
	AppendOnly bool
	Evicts     string // the eviction policy, if the server evicts; else ""
}

// Condition asks the server.
func (s *Store) Condition(ctx context.Context) (c Condition, err error) {
	node, err := s.master(ctx)
	if err != nil {
		return c, err
	}
	text, err := node.Info(ctx).Result()
	if err != nil {
		return c, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[k] = v
	}
	c.Version, c.AppendOnly = info["redis_version"], info["aof_enabled"] == "1"
	if p := info["maxmemory_policy"]; info["maxmemory"] != "0" && p != "noeviction" {
		c.Evicts = p
	}
	return c, nil
}

// Major is the first number of a version; 0 if there is none.
func (c Condition) Major() int {
	n, _, _ := strings.Cut(c.Version, ".")
	major, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return major
}
