package enrolment

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"thump/internal/control"
)

// Token lets hosts in.
type Token struct {
	ID      string    `json:"id"`
	Groups  []string  `json:"groups"` // of the hosts it lets in; the first is their label group
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"` // 0: any number
	Used    int       `json:"used"`
	Revoked time.Time `json:"revoked"`
}

// end is when the token ceased, or will cease, to open by time or word.
func (t *Token) end() time.Time {
	if !t.Revoked.IsZero() && t.Revoked.Before(t.Expires) {
		return t.Revoked
	}
	return t.Expires
}

// State is valid, or why the token lets nobody in.
func (t *Token) State(now time.Time) string {
	if r := t.refuses(now); r != "" {
		return string(r)
	}
	return "valid"
}

// refuses tells why the token lets nobody in, "" if it does.
func (t *Token) refuses(now time.Time) control.Refused {
	switch {
	case !t.Revoked.IsZero():
		return control.RefusedRevoked
	case !now.Before(t.Expires):
		return control.RefusedExpired
	case t.Uses > 0 && t.Used >= t.Uses:
		return control.RefusedUsedUp
	}
	return ""
}

// Host has joined.
type Host struct {
	Name    string    `json:"name"`
	Groups  []string  `json:"groups"`
	Token   string    `json:"token"`
	User    string    `json:"user"` // its login on the broker
	Joined  time.Time `json:"joined"`
	Version string    `json:"version,omitempty"` // as it joined
	OS      string    `json:"os,omitempty"`
	Arch    string    `json:"arch,omitempty"`
}

// ErrNotFound is that there is no such token, or host.
var ErrNotFound = errors.New("not found")

var (
	metaBucket   = []byte("meta")
	tokensBucket = []byte("tokens")
	hostsBucket  = []byte("hosts")
	versionKey   = []byte("version")
)

const (
	formatVersion = "1"
	filePatience  = time.Second // for another process to let go of the file
)

// store is enrolment.db: FORMAT.md. Each change is on disk when its method returns.
type store struct{ db *bbolt.DB }

func openStore(path string) (*store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: filePatience})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is used by another thump", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &store{db}, nil
}

func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, tokensBucket, hostsBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	switch v := string(meta.Get(versionKey)); v {
	case formatVersion:
		return nil
	case "":
		return meta.Put(versionKey, []byte(formatVersion))
	default:
		return fmt.Errorf("written in format %s, this program reads %s", v, formatVersion)
	}
}

func (s *store) close() error { return s.db.Close() }

func (s *store) tokens() ([]Token, error) { return all[Token](s, tokensBucket) }

func (s *store) hosts() ([]Host, error) { return all[Host](s, hostsBucket) }

func (s *store) token(id string) (Token, error) { return one[Token](s, tokensBucket, id) }

func (s *store) host(name string) (Host, error) {
	return one[Host](s, hostsBucket, control.HostKey(name))
}

func (s *store) putToken(t *Token) error { return s.put(tokensBucket, t.ID, t) }

func (s *store) deleteToken(id string) error { return s.delete(tokensBucket, id) }

func (s *store) deleteHost(name string) error { return s.delete(hostsBucket, control.HostKey(name)) }

// admit notes a host, and that its token has been used once more.
func (s *store) admit(h *Host, t *Token) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(
			put(tx.Bucket(tokensBucket), t.ID, t),
			put(tx.Bucket(hostsBucket), control.HostKey(h.Name), h))
	})
}

func (s *store) put(bucket []byte, key string, v any) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return put(tx.Bucket(bucket), key, v) })
}

func put(b *bbolt.Bucket, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return b.Put([]byte(key), text)
}

func (s *store) delete(bucket []byte, key string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(key)) })
}

func one[T any](s *store, bucket []byte, key string) (v T, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucket).Get([]byte(key))
		if text == nil {
			return ErrNotFound
		}
		return json.Unmarshal(text, &v)
	})
	return v, err
}

func all[T any](s *store, bucket []byte) ([]T, error) {
	list := []T{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, text []byte) error {
			var v T
			if err := json.Unmarshal(text, &v); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			list = append(list, v)
			return nil
		})
	})
	return list, err
}
