package definitions

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"thump/broker/vhost"
)

// The buckets and the key of a virtual host that came after version 1 was first
// written: a file without them has nothing of the kind.
var (
	policiesBucket         = []byte("policies")
	operatorPoliciesBucket = []byte("operator_policies")
	topicsBucket           = []byte("topic_permissions")
	limitsKey              = []byte("limits")
)

func policyBucket(operator bool) []byte {
	if operator {
		return operatorPoliciesBucket
	}
	return policiesBucket
}

// Policies returns the policies of a virtual host, or the operator policies, by
// name.
func (s *Store) Policies(vhostName string, operator bool) (list []vhost.Policy, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		list, err = listIfAny[vhost.Policy](tx, vhostName, policyBucket(operator))
		return err
	})
	return list, wrap("list policies", err)
}

// PutPolicy creates or replaces a policy.
func (s *Store) PutPolicy(vhostName string, operator bool, p vhost.Policy) error {
	if err := p.Validate(operator); err != nil {
		return err
	}
	return s.changeIn("store policy", vhostName, policyBucket(operator), func(b *bbolt.Bucket) error {
		return put(b, p.Name, p)
	})
}

// DeletePolicy removes a policy; ErrNotFound if there is none.
func (s *Store) DeletePolicy(vhostName string, operator bool, name string) error {
	return s.changeIn("delete policy", vhostName, policyBucket(operator), func(b *bbolt.Bucket) error {
		if b.Get([]byte(name)) == nil {
			return fmt.Errorf("%q: %w", name, ErrNotFound)
		}
		return b.Delete([]byte(name))
	})
}

// Limits returns the limits of a virtual host.
func (s *Store) Limits(vhostName string) (l vhost.Limits, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := vhostBucket(tx, vhostName)
		if b == nil {
			return fmt.Errorf("vhost %q: %w", vhostName, ErrNotFound)
		}
		if text := b.Get(limitsKey); text != nil {
			return json.Unmarshal(text, &l)
		}
		return nil
	})
	return l, wrap("read vhost limits", err)
}

// SetLimits replaces the limits of a virtual host.
func (s *Store) SetLimits(vhostName string, l vhost.Limits) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := vhostBucket(tx, vhostName)
		if b == nil {
			return fmt.Errorf("vhost %q: %w", vhostName, ErrNotFound)
		}
		return put(b, string(limitsKey), l)
	})
	return s.changed(wrap("store vhost limits", err))
}

// OnChange has f called after each change of users, permissions, policies and
// limits. It is to be set once, before the store is shared.
func (s *Store) OnChange(f func()) { s.notify = f }

// changed tells of a change that succeeded.
func (s *Store) changed(err error) error {
	if err == nil && s.notify != nil {
		s.notify()
	}
	return err
}

// changeIn changes a bucket of a virtual host, which it makes if there is none.
func (s *Store) changeIn(doing, vhostName string, part []byte, change func(*bbolt.Bucket) error) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := vhostBucket(tx, vhostName)
		if b == nil {
			return fmt.Errorf("vhost %q: %w", vhostName, ErrNotFound)
		}
		b, err := b.CreateBucketIfNotExists(part)
		if err != nil {
			return err
		}
		return change(b)
	})
	return s.changed(wrap(doing, err))
}

// listIfAny decodes all of a bucket, which may be missing.
func listIfAny[T any](tx *bbolt.Tx, vhostName string, part []byte) ([]T, error) {
	b, err := bucketIn(tx, vhostName, part)
	if err != nil || b == nil {
		return nil, err
	}
	return list[T](b)
}
