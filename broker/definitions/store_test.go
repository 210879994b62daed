package definitions

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "definitions.db"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewFileHasDefaults(t *testing.T) {
	s := newStore(t)
	vhosts, err := s.VHosts()
	must(t, err)
	if !slices.Equal(vhosts, []string{"/"}) {
		t.Errorf("vhosts: %q", vhosts)
	}
	users, err := s.Users()
	must(t, err)
	if len(users) != 1 || users[0].Name != "guest" || !users[0].HasPassword("guest") ||
		users[0].HasPassword("Guest") || !slices.Equal(users[0].Tags, []string{"administrator"}) {
		t.Errorf("users: %+v", users)
	}
	p, err := s.Permission("/", "guest")
	must(t, err)
	if p != (Permission{User: "guest", Configure: ".*", Write: ".*", Read: ".*"}) {
		t.Errorf("permission: %+v", p)
	}
}

func TestDefaultsComeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "definitions.db")
	s, err := Open(path)
	must(t, err)
	must(t, s.DeleteUser("guest"))
	must(t, s.Close())
	users, err := open(t, path).Users()
	must(t, err)
	if len(users) != 0 {
		t.Errorf("guest is back: %+v", users)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	held := filepath.Join(dir, "held.db")
	open(t, held)
	if _, err := Open(held); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), held) {
		t.Errorf("locked file: %v", err)
	}

	newer := filepath.Join(dir, "newer.db")
	s, err := Open(newer)
	must(t, err)
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(versionKey, binary.BigEndian.AppendUint64(nil, 7))
	}))
	must(t, s.Close())
	if _, err := Open(newer); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 7, this program reads 1") {
		t.Errorf("newer file: %v", err)
	}

	garbage := filepath.Join(dir, "garbage.db")
	must(t, os.WriteFile(garbage, []byte(strings.Repeat("not a database", 1000)), 0o600))
	if _, err := Open(garbage); err == nil || !strings.Contains(err.Error(), garbage) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "missing", "x.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

// The hash of RabbitMQ's documentation for the password test12.
func TestRabbitMQHash(t *testing.T) {
	u := User{PasswordHash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"}
	if !u.HasPassword("test12") || u.HasPassword("test13") {
		t.Error("hash of RabbitMQ's documentation is not understood")
	}
	for _, broken := range []string{"", "?", "AAAA", HashPassword("")[:40]} {
		if (User{PasswordHash: broken}).HasPassword("") {
			t.Errorf("hash %q lets the empty password in", broken)
		}
	}
	if first := HashPassword("a"); first == HashPassword("a") {
		t.Error("two hashes share a salt")
	}
}

func TestUsersAndPermissions(t *testing.T) {
	s := newStore(t)
	must(t, s.PutUser(User{Name: "agent", PasswordHash: HashPassword("x")}))
	must(t, s.CreateVHost("two"))
	must(t, s.CreateVHost("two"))
	must(t, s.SetPermission("two", Permission{User: "agent", Configure: "", Write: "^thump\\.metrics$", Read: "^own-"}))
	p, err := s.Permission("two", "agent")
	must(t, err)
	a, err := p.Access()
	must(t, err)
	for what, c := range map[string]struct{ got, want bool }{
		"configure nothing":   {a.MayConfigure("own-q"), false},
		"write the exchange":  {a.MayWrite("thump.metrics"), true},
		"write another":       {a.MayWrite("thump.metrics.topic"), false},
		"read own":            {a.MayRead("own-q"), true},
		"read another's":      {a.MayRead("other"), false},
		"zero access forbids": {Access{}.MayRead("x"), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %t", what, c.got)
		}
	}
	for what, err := range map[string]error{
		"unknown user":     s.SetPermission("two", Permission{User: "nobody"}),
		"unknown vhost":    s.SetPermission("three", Permission{User: "agent"}),
		"delete user":      s.DeleteUser("nobody"),
		"delete vhost":     s.DeleteVHost("three"),
		"permission of /":  func() error { _, err := s.Permission("/", "agent"); return err }(),
		"look up nobody":   func() error { _, err := s.User("nobody"); return err }(),
		"list in no vhost": func() error { _, err := s.Permissions("three"); return err }(),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.SetPermission("two", Permission{User: "agent", Read: "("}); err == nil {
		t.Error("a broken expression was stored")
	}
	must(t, s.DeleteUser("agent"))
	if list, err := s.Permissions("two"); err != nil || len(list) != 0 {
		t.Errorf("permissions of a deleted user: %v, %v", list, err)
	}
	must(t, s.ClearPermission("/", "guest"))
	if _, err := s.Permission("/", "guest"); !errors.Is(err, ErrNotFound) {
		t.Errorf("cleared permission: %v", err)
	}
	must(t, s.DeleteVHost("two"))
}
