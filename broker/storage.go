package broker

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/journal"
	"thump/broker/vhost"
	"thump/internal/vfs"
)

// storage is the data folder, opened:
//
//	LOCK             held while the broker has the folder
//	definitions.db   users, virtual hosts, and what is durable in them
//	journal/2f       the messages of virtual host "/"; its name in hexadecimal
type storage struct {
	// Static after construction.
	lock io.Closer
	defs *definitions.Store
	deps Deps

	unreadable atomic.Uint64 // messages dropped because the log has lost them

	mu       sync.RWMutex
	journals []*journal.Journal      // guarded by mu
	vhosts   map[string]*vhost.VHost // guarded by mu
	ended    bool                    // guarded by mu: no virtual host is opened any more
}

// openStorage opens the data folder and recovers what is in it.
func openStorage(cfg Config, deps Deps) (*storage, error) {
	disk := vfs.OS{}
	if err := disk.MkdirAll(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("make the broker's data folder: %w", err)
	}
	lock, err := disk.Lock(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("lock the broker's data folder: %w", err)
	}
	s := &storage{lock: lock, deps: deps, vhosts: make(map[string]*vhost.VHost)}
	if err := s.recover(cfg, deps); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *storage) recover(cfg Config, deps Deps) (err error) {
	if s.defs, err = definitions.Open(cfg.definitionsFile()); err != nil {
		return err
	}
	names, err := s.defs.VHosts()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if err := s.openVHost(name, cfg, deps); err != nil {
			return fmt.Errorf("open vhost %q: %w", name, err)
		}
	}
	return nil
}

// openVHost expects mu to be held.
func (s *storage) openVHost(name string, cfg Config, deps Deps) error {
	defs := s.defs.VHost(name)
	known, err := defs.Known()
	if err != nil {
		return err
	}
	j, err := journal.Open(journalDir(cfg, name), journal.Options{
		FS: deps.FS, SegmentSize: int64(cfg.JournalSegment), Logger: deps.Logger.With("vhost", name), Known: known,
	})
	if err != nil {
		return err
	}
	s.journals = append(s.journals, j)
	v, err := vhost.New(vhost.Config{
		Name: name, MemoryBudget: int64(cfg.MemoryBudget), Logger: deps.Logger,
		Unreadable: func() { s.unreadable.Add(1) },
	}, defs, j)
	if err != nil {
		return err
	}
	if err := s.govern(v); err != nil {
		return err
	}
	s.vhosts[name] = v
	return nil
}

// pressure returns the memory that messages take, and whether a disk is full.
func (s *storage) pressure() (memory int64, full bool) {
	for _, v := range s.all() {
		memory += v.MemoryBytes()
		full = full || v.Journal().Stats().Full
	}
	return memory, full
}

// govern gives a virtual host the policies and limits that are stored for it.
func (s *storage) govern(v *vhost.VHost) error {
	user, err := s.defs.Policies(v.Name(), false)
	if err != nil {
		return err
	}
	operator, err := s.defs.Policies(v.Name(), true)
	if err != nil {
		return err
	}
	limits, err := s.defs.Limits(v.Name())
	if err != nil {
		return err
	}
	v.SetLimits(limits)
	return v.SetPolicies(user, operator)
}

// close is idempotent. The virtual hosts go before the journals that they write
// to, and these sync what is left.
func (s *storage) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	var errs error
	for _, v := range s.vhosts {
		v.Close()
	}
	for _, j := range s.journals {
		errs = errors.Join(errs, j.Close())
	}
	s.journals = nil
	if s.defs != nil {
		errs = errors.Join(errs, s.defs.Close())
		s.defs = nil
	}
	if s.lock != nil {
		errs = errors.Join(errs, s.lock.Close())
		s.lock = nil
	}
	return errs
}

// loopbackUser has a well-known password and may log in from this host only.
const loopbackUser = "guest"

var (
	errPassword = errors.New("wrong password")
	errLoopback = errors.New("user can only log in from this host")
)

// authenticate checks a password.
func (s *storage) authenticate(name, password string, loopback bool) error {
	user, err := s.defs.User(name)
	if err != nil {
		return err
	}
	if !user.HasPassword(password) {
		return errPassword
	}
	if name == loopbackUser && !loopback {
		return errLoopback
	}
	return nil
}

// hasTag says whether a user has a tag.
func (s *storage) hasTag(name, tag string) bool {
	user, err := s.defs.User(name)
	return err == nil && slices.Contains(user.Tags, tag)
}

// enter returns a virtual host and what the user may do in it. The empty name is
// what amqp://host/ means to some clients.
func (s *storage) enter(name, user string) (*vhost.VHost, definitions.Access, error) {
	if name == "" {
		name = "/"
	}
	v, ok := s.vhost(name)
	if !ok {
		return nil, definitions.Access{}, amqp.ConnectionError(amqp.NotAllowed, "vhost %s not found", name)
	}
	access, err := s.defs.Access(v.Name(), user)
	if errors.Is(err, definitions.ErrNotFound) {
		err = amqp.ConnectionError(amqp.NotAllowed, "access to vhost '%s' refused for user '%s'", v.Name(), user)
	}
	return v, access, err
}
