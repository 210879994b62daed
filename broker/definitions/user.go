package definitions

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"

	"go.etcd.io/bbolt"
)

// User may log in.
type User struct {
	Name         string   `json:"name"`
	PasswordHash string   `json:"password_hash"` // by HashPassword; "": no password opens
	Tags         []string `json:"tags"`          // administrator, monitoring, …

	Limits UserLimits `json:"limits"` // set by SetUserLimits
}

const saltSize = 4

// HashPassword hashes a password as RabbitMQ's rabbit_password_hashing_sha256
// does: base64 of a random salt of 4 bytes and SHA-256 of salt and password.
func HashPassword(password string) string {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails, see crypto/rand
	return hashPassword(salt[:], password)
}

func hashPassword(salt []byte, password string) string {
	sum := sha256.Sum256(append(salt[:saltSize:saltSize], password...))
	return base64.StdEncoding.EncodeToString(append(salt[:saltSize:saltSize], sum[:]...))
}

// HasPassword says whether password is the user's.
func (u User) HasPassword(password string) bool {
	stored, err := base64.StdEncoding.DecodeString(u.PasswordHash)
	if err != nil || len(stored) != saltSize+sha256.Size {
		return false
	}
	want := hashPassword(stored[:saltSize], password)
	return subtle.ConstantTimeCompare([]byte(want), []byte(u.PasswordHash)) == 1
}

// Users returns all users by name.
func (s *Store) Users() (users []User, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		users, err = list[User](tx.Bucket(usersBucket))
		return err
	})
	return users, wrap("list users", err)
}

// User returns one user, or ErrNotFound.
func (s *Store) User(name string) (u User, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		u, err = get[User](tx.Bucket(usersBucket), name)
		return err
	})
	return u, wrap("look up user", err)
}

// PutUser creates or replaces a user, whose limits stay.
func (s *Store) PutUser(u User) error {
	if u.Name == "" {
		return errors.New("user has no name")
	}
	return s.changed(wrap("store user", s.db.Update(func(tx *bbolt.Tx) error {
		users := tx.Bucket(usersBucket)
		old, err := get[User](users, u.Name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		u.Limits = old.Limits
		return put(users, u.Name, u)
	})))
}

// DeleteUser removes a user with the permissions; ErrNotFound if there is none.
func (s *Store) DeleteUser(name string) error {
	return s.changed(wrap("delete user", s.db.Update(func(tx *bbolt.Tx) error {
		users := tx.Bucket(usersBucket)
		if users.Get([]byte(name)) == nil {
			return fmt.Errorf("%q: %w", name, ErrNotFound)
		}
		vhosts := tx.Bucket(vhostsBucket)
		err := vhosts.ForEachBucket(func(vhost []byte) error {
			return deleteAccess(vhosts.Bucket(vhost), name)
		})
		return errors.Join(err, users.Delete([]byte(name)))
	})))
}

// deleteAccess forgets what a user may do in a virtual host.
func deleteAccess(vhost *bbolt.Bucket, user string) error {
	err := vhost.Bucket(permissionsBucket).Delete([]byte(user))
	topics := vhost.Bucket(topicsBucket)
	if topics == nil {
		return err
	}
	all, listErr := list[TopicPermission](topics)
	err = errors.Join(err, listErr)
	for _, p := range all {
		if p.User == user {
			err = errors.Join(err, topics.Delete([]byte(topicKey(p.User, p.Exchange))))
		}
	}
	return err
}

// Permission is what a user may do in a virtual host: three regular expressions
// over the names of queues and exchanges. An empty one matches nothing.
type Permission struct {
	User      string `json:"user"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// Access is a Permission ready to be asked.
type Access struct {
	configure, write, read *regexp.Regexp

	topics map[string]topicAccess // by exchange
}

// Access compiles the permission.
func (p Permission) Access() (Access, error) {
	var a Access
	for _, part := range []struct {
		expression string
		to         **regexp.Regexp
	}{{p.Configure, &a.configure}, {p.Write, &a.write}, {p.Read, &a.read}} {
		if part.expression == "" {
			part.expression = "^$" // as RabbitMQ reads it
		}
		re, err := regexp.Compile(part.expression)
		if err != nil {
			return Access{}, fmt.Errorf("permission of user %q: %w", p.User, err)
		}
		*part.to = re
	}
	return a, nil
}

// MayConfigure says whether the user may declare and delete what has this name.
func (a Access) MayConfigure(name string) bool {
	return a.configure != nil && a.configure.MatchString(name)
}

// MayWrite says whether the user may publish to, or bind, what has this name.
func (a Access) MayWrite(name string) bool { return a.write != nil && a.write.MatchString(name) }

// MayRead says whether the user may consume, purge, or bind from, what has this name.
func (a Access) MayRead(name string) bool { return a.read != nil && a.read.MatchString(name) }

// Permissions returns the permissions in a virtual host by user.
func (s *Store) Permissions(vhost string) (list []Permission, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		list, err = listIn[Permission](tx, vhost, permissionsBucket)
		return err
	})
	return list, wrap("list permissions", err)
}

// Permission returns what a user may do in a virtual host; ErrNotFound if the
// user may not even enter.
func (s *Store) Permission(vhost, user string) (p Permission, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b, err := bucketIn(tx, vhost, permissionsBucket)
		if err != nil {
			return err
		}
		p, err = get[Permission](b, user)
		return err
	})
	return p, wrap("look up permission", err)
}

// SetPermission creates or replaces the permission of a user in a virtual host.
func (s *Store) SetPermission(vhost string, p Permission) error {
	if _, err := p.Access(); err != nil {
		return err
	}
	return s.changed(wrap("store permission", s.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(usersBucket).Get([]byte(p.User)) == nil {
			return fmt.Errorf("user %q: %w", p.User, ErrNotFound)
		}
		b, err := bucketIn(tx, vhost, permissionsBucket)
		if err != nil {
			return err
		}
		return put(b, p.User, p)
	})))
}

// ClearPermission shuts a user out of a virtual host.
func (s *Store) ClearPermission(vhost, user string) error {
	return s.changed(wrap("clear permission", s.db.Update(func(tx *bbolt.Tx) error {
		b, err := bucketIn(tx, vhost, permissionsBucket)
		if err != nil {
			return err
		}
		return b.Delete([]byte(user))
	})))
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
