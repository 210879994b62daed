// Package definitions keeps what a broker must remember besides messages: virtual
// hosts, users, permissions, and the durable exchanges, queues and bindings. It is
// one bbolt file; every change is on disk when the method returns. FORMAT.md draws
// the file.
package definitions

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Version is the version of the file that this package writes and reads.
const Version = 1

// lockPatience is how long Open waits for another process to close the file.
const lockPatience = time.Second

// The buckets of the file.
var (
	metaBucket   = []byte("meta")
	usersBucket  = []byte("users")
	vhostsBucket = []byte("vhosts") // its sequence counts queue ids

	versionKey = []byte("version")
)

// Errors that callers tell apart.
var (
	ErrLocked   = errors.New("definitions are in use by another process")
	ErrVersion  = errors.New("definitions were written by another version")
	ErrNotFound = errors.New("not found")
)

// Store is an open file of definitions. All methods may be called from any
// goroutine.
type Store struct {
	db     *bbolt.DB
	notify func() // set once, see OnChange
}

// Open opens the file at path. A new one gets the virtual host "/" and the
// administrator guest with password guest, as RabbitMQ's does.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockPatience})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open definitions %s: %w", path, err)
	}
	s := &Store{db: db}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open definitions %s: %w", path, err), db.Close())
	}
	return s, nil
}

// prepare checks the version of the file, or fills a new one.
func prepare(tx *bbolt.Tx) error {
	if meta := tx.Bucket(metaBucket); meta != nil {
		return checkVersion(meta.Get(versionKey))
	}
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	for _, name := range [][]byte{usersBucket, vhostsBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	if err := meta.Put(versionKey, binary.BigEndian.AppendUint64(nil, Version)); err != nil {
		return err
	}
	return addDefaults(tx)
}

func checkVersion(stored []byte) error {
	if len(stored) != 8 {
		return fmt.Errorf("%w: version of %d bytes", ErrVersion, len(stored))
	}
	if v := binary.BigEndian.Uint64(stored); v != Version {
		return fmt.Errorf("%w: version %d, this program reads %d", ErrVersion, v, Version)
	}
	return nil
}

func addDefaults(tx *bbolt.Tx) error {
	if err := createVHost(tx, "/"); err != nil {
		return err
	}
	guest := User{Name: "guest", PasswordHash: HashPassword("guest"), Tags: []string{"administrator"}}
	if err := put(tx.Bucket(usersBucket), guest.Name, guest); err != nil {
		return err
	}
	all := Permission{User: guest.Name, Configure: ".*", Write: ".*", Read: ".*"}
	return put(vhostBucket(tx, "/").Bucket(permissionsBucket), all.User, all)
}

// Close closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close definitions: %w", err)
	}
	return nil
}

// put stores a value as JSON.
func put(b *bbolt.Bucket, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %q: %w", key, err)
	}
	return b.Put([]byte(key), text)
}

// list decodes all values of a bucket, by key.
func list[T any](b *bbolt.Bucket) ([]T, error) {
	var values []T
	err := b.ForEach(func(key, text []byte) error {
		var v T
		if err := json.Unmarshal(text, &v); err != nil {
			return fmt.Errorf("decode %q: %w", key, err)
		}
		values = append(values, v)
		return nil
	})
	return values, err
}

// get decodes one value; ErrNotFound if it is missing.
func get[T any](b *bbolt.Bucket, key string) (v T, err error) {
	text := b.Get([]byte(key))
	if text == nil {
		return v, fmt.Errorf("%q: %w", key, ErrNotFound)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("decode %q: %w", key, err)
	}
	return v, nil
}
