package broker

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/journal"
	"thump/broker/vhost"
)

// Virtual hosts at run time.

// vhost returns a virtual host that is open.
func (s *storage) vhost(name string) (*vhost.VHost, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.vhosts[name]
	return v, ok
}

// all returns the open virtual hosts, by name.
func (s *storage) all() []*vhost.VHost {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*vhost.VHost, 0, len(s.vhosts))
	for _, v := range s.vhosts {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *vhost.VHost) int { return cmp.Compare(a.Name(), b.Name()) })
	return list
}

// journalDir is where the messages of a virtual host are.
func journalDir(cfg Config, vhost string) string {
	return filepath.Join(cfg.DataDir, "journal", fmt.Sprintf("%x", vhost))
}

// VHost returns a virtual host that is open.
func (b *Broker) VHost(name string) (*vhost.VHost, bool) { return b.storage.vhost(name) }

// VHosts returns the virtual hosts that are open, by name.
func (b *Broker) VHosts() []*vhost.VHost { return b.storage.all() }

// CreateVHost opens a new virtual host. One that exists stays as it is.
func (b *Broker) CreateVHost(name string) error {
	s := b.storage
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.vhosts[name]; exists {
		return nil
	}
	if s.ended {
		return errEnded
	}
	if err := s.defs.CreateVHost(name); err != nil {
		return err
	}
	if err := s.openVHost(name, b.config, s.deps); err != nil {
		return fmt.Errorf("open vhost %q: %w", name, err)
	}
	return nil
}

var errEnded = errors.New("the broker ends")

// DeleteVHost sends the clients of a virtual host away and removes it with all
// that is in it.
func (b *Broker) DeleteVHost(name string) error {
	s := b.storage
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vhosts[name]
	if !ok {
		return fmt.Errorf("vhost %q: %w", name, definitions.ErrNotFound)
	}
	// First what says that it exists: whatever is left after a crash is nobody's.
	if err := s.defs.DeleteVHost(name); err != nil {
		return err
	}
	delete(s.vhosts, name)
	b.closeConnectionsTo(v)
	v.Close()
	j := v.Journal()
	s.journals = slices.DeleteFunc(s.journals, func(o *journal.Journal) bool { return o == j })
	err := j.Close()
	return errors.Join(err, os.RemoveAll(journalDir(b.config, name)))
}

func (b *Broker) closeConnectionsTo(v *vhost.VHost) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		if c.opened.Load() && c.vhost == v {
			c.shutdown(amqp.ConnectionError(amqp.ConnectionForced, "vhost '%s' is deleted", v.Name()))
		}
	}
}

// SetPermission lets a user into a virtual host, at once for open connections too.
func (b *Broker) SetPermission(vhost string, p definitions.Permission) error {
	return b.storage.defs.SetPermission(vhost, p)
}

// ClearPermission shuts a user out of a virtual host. Connections that are open
// stay, and may do nothing any more.
func (b *Broker) ClearPermission(vhost, user string) error {
	return b.storage.defs.ClearPermission(vhost, user)
}
