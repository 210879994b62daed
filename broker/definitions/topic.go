package definitions

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.etcd.io/bbolt"
)

// TopicPermission is what a user may do with a topic exchange: two regular
// expressions over routing keys. {username} and {vhost} in them stand for the
// user's and the virtual host's name.
type TopicPermission struct {
	User     string `json:"user"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

// topicAccess is a TopicPermission ready to be asked.
type topicAccess struct{ write, read *regexp.Regexp }

func (p TopicPermission) access(vhostName string) (a topicAccess, err error) {
	fill := strings.NewReplacer("{username}", regexp.QuoteMeta(p.User), "{vhost}", regexp.QuoteMeta(vhostName))
	write, err := regexp.Compile(fill.Replace(p.Write))
	if err != nil {
		return a, fmt.Errorf("topic permission of user %q: %w", p.User, err)
	}
	read, err := regexp.Compile(fill.Replace(p.Read))
	if err != nil {
		return a, fmt.Errorf("topic permission of user %q: %w", p.User, err)
	}
	return topicAccess{write: write, read: read}, nil
}

// TopicPermissions returns the topic permissions in a virtual host.
func (s *Store) TopicPermissions(vhostName string) (list []TopicPermission, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		list, err = listIfAny[TopicPermission](tx, vhostName, topicsBucket)
		return err
	})
	return list, wrap("list topic permissions", err)
}

// SetTopicPermission creates or replaces the permission of a user for a topic
// exchange.
func (s *Store) SetTopicPermission(vhostName string, p TopicPermission) error {
	if _, err := p.access(vhostName); err != nil {
		return err
	}
	if _, err := s.User(p.User); err != nil {
		return err
	}
	return s.changeIn("store topic permission", vhostName, topicsBucket, func(b *bbolt.Bucket) error {
		return put(b, topicKey(p.User, p.Exchange), p)
	})
}

// ClearTopicPermission removes the permission of a user for a topic exchange, or
// with exchange "" for all.
func (s *Store) ClearTopicPermission(vhostName, user, exchange string) error {
	return s.changeIn("clear topic permission", vhostName, topicsBucket, func(b *bbolt.Bucket) error {
		all, err := list[TopicPermission](b)
		for _, p := range all {
			if p.User == user && (exchange == "" || p.Exchange == exchange) {
				err = errors.Join(err, b.Delete([]byte(topicKey(p.User, p.Exchange))))
			}
		}
		return err
	})
}

func topicKey(user, exchange string) string { return user + "\x00" + exchange }

// Access returns what a user may do in a virtual host, topics included;
// ErrNotFound if the user may not even enter.
func (s *Store) Access(vhostName, user string) (Access, error) {
	p, err := s.Permission(vhostName, user)
	if err != nil {
		return Access{}, err
	}
	a, err := p.Access()
	if err != nil {
		return Access{}, err
	}
	topics, err := s.TopicPermissions(vhostName)
	if err != nil {
		return Access{}, err
	}
	for _, t := range topics {
		if t.User != user {
			continue
		}
		if a.topics == nil {
			a.topics = make(map[string]topicAccess)
		}
		if a.topics[t.Exchange], err = t.access(vhostName); err != nil {
			return Access{}, err
		}
	}
	return a, nil
}

// HasTopics says whether the user's access depends on routing keys.
func (a Access) HasTopics() bool { return len(a.topics) > 0 }

// MayWriteTopic says whether the user may publish to a topic exchange with a
// routing key. Without a topic permission any key will do.
func (a Access) MayWriteTopic(exchange, key string) bool {
	t, limited := a.topics[exchange]
	return !limited || t.write.MatchString(key)
}

// MayReadTopic says whether the user may bind from a topic exchange with a
// routing key.
func (a Access) MayReadTopic(exchange, key string) bool {
	t, limited := a.topics[exchange]
	return !limited || t.read.MatchString(key)
}
