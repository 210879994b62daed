package definitions

import (
	"go.etcd.io/bbolt"
)

// UserLimits bound what a user may have open at once, in all virtual hosts
// together. nil, and what is negative, is no limit.
type UserLimits struct {
	MaxConnections *int `json:"max-connections,omitempty"`
	MaxChannels    *int `json:"max-channels,omitempty"`
}

// UserLimits returns the limits of a user; ErrNotFound if there is no such user.
func (s *Store) UserLimits(name string) (UserLimits, error) {
	u, err := s.User(name)
	return u.Limits, err
}

// SetUserLimits replaces the limits of a user.
func (s *Store) SetUserLimits(name string, l UserLimits) error {
	return s.changed(wrap("store user limits", s.db.Update(func(tx *bbolt.Tx) error {
		u, err := get[User](tx.Bucket(usersBucket), name)
		if err != nil {
			return err
		}
		u.Limits = l
		return put(tx.Bucket(usersBucket), name, u)
	})))
}
