package definitions

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// The buckets of a virtual host.
var (
	permissionsBucket = []byte("permissions")
	exchangesBucket   = []byte("exchanges")
	queuesBucket      = []byte("queues")
	bindingsBucket    = []byte("bindings")
)

// VHosts returns the names of the virtual hosts.
func (s *Store) VHosts() (names []string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(vhostsBucket).ForEachBucket(func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
	})
	return names, wrap("list vhosts", err)
}

// CreateVHost creates a virtual host. One that exists stays as it is.
func (s *Store) CreateVHost(name string) error {
	if name == "" {
		return errors.New("vhost has no name")
	}
	return wrap("create vhost", s.db.Update(func(tx *bbolt.Tx) error { return createVHost(tx, name) }))
}

func createVHost(tx *bbolt.Tx, name string) error {
	b, err := tx.Bucket(vhostsBucket).CreateBucketIfNotExists([]byte(name))
	if err != nil {
		return err
	}
	for _, part := range [][]byte{permissionsBucket, exchangesBucket, queuesBucket, bindingsBucket} {
		if _, err := b.CreateBucketIfNotExists(part); err != nil {
			return err
		}
	}
	return nil
}

// DeleteVHost removes a virtual host with all that is in it; ErrNotFound if there
// is none.
func (s *Store) DeleteVHost(name string) error {
	return wrap("delete vhost", s.db.Update(func(tx *bbolt.Tx) error {
		if vhostBucket(tx, name) == nil {
			return fmt.Errorf("vhost %q: %w", name, ErrNotFound)
		}
		return tx.Bucket(vhostsBucket).DeleteBucket([]byte(name))
	}))
}

func vhostBucket(tx *bbolt.Tx, name string) *bbolt.Bucket {
	return tx.Bucket(vhostsBucket).Bucket([]byte(name))
}

func bucketIn(tx *bbolt.Tx, vhost string, part []byte) (*bbolt.Bucket, error) {
	b := vhostBucket(tx, vhost)
	if b == nil {
		return nil, fmt.Errorf("vhost %q: %w", vhost, ErrNotFound)
	}
	return b.Bucket(part), nil
}

func listIn[T any](tx *bbolt.Tx, vhost string, part []byte) ([]T, error) {
	b, err := bucketIn(tx, vhost, part)
	if err != nil {
		return nil, err
	}
	return list[T](b)
}

// VHost is the durable topology of one virtual host.
type VHost struct {
	store *Store
	name  string
}

var _ vhost.Definitions = (*VHost)(nil)

// VHost returns the durable topology of a virtual host.
func (s *Store) VHost(name string) *VHost { return &VHost{store: s, name: name} }

// arguments are an argument table in its encoded form, which keeps the types.
type arguments []byte

func encodeArguments(t amqp.Table) (arguments, error) {
	b, err := t.Append(nil)
	if err != nil {
		return nil, fmt.Errorf("encode arguments: %w", err)
	}
	return b[lengthPrefix:], nil
}

func (a arguments) decode() (amqp.Table, error) {
	t, err := amqp.ParseTable(a)
	if err != nil {
		return nil, fmt.Errorf("decode arguments: %w", err)
	}
	return t, nil
}

const lengthPrefix = 4 // of an encoded table

type exchangeRecord struct {
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	AutoDelete bool      `json:"auto_delete,omitempty"`
	Internal   bool      `json:"internal,omitempty"`
	Arguments  arguments `json:"arguments,omitempty"`
}

type queueRecord struct {
	ID         uint64    `json:"id"`
	Name       string    `json:"name"`
	AutoDelete bool      `json:"auto_delete,omitempty"`
	Arguments  arguments `json:"arguments,omitempty"`
}

type bindingRecord struct {
	Source      string    `json:"source"`
	Destination string    `json:"destination"`
	ToExchange  bool      `json:"to_exchange,omitempty"`
	Key         string    `json:"key"`
	Arguments   arguments `json:"arguments,omitempty"`
}

// Topology returns all that is stored.
func (v *VHost) Topology() (t vhost.Topology, err error) {
	err = v.store.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(v.readExchanges(tx, &t), v.readQueues(tx, &t), v.readBindings(tx, &t))
	})
	return t, wrap("read topology", err)
}

func (v *VHost) readExchanges(tx *bbolt.Tx, t *vhost.Topology) error {
	records, err := listIn[exchangeRecord](tx, v.name, exchangesBucket)
	for _, r := range records {
		args, argsErr := r.Arguments.decode()
		err = errors.Join(err, argsErr)
		t.Exchanges = append(t.Exchanges, vhost.ExchangeSpec{
			Name: r.Name, Type: r.Type, Durable: true, AutoDelete: r.AutoDelete, Internal: r.Internal, Args: args,
		})
	}
	return err
}

func (v *VHost) readQueues(tx *bbolt.Tx, t *vhost.Topology) error {
	records, err := listIn[queueRecord](tx, v.name, queuesBucket)
	for _, r := range records {
		args, argsErr := r.Arguments.decode()
		err = errors.Join(err, argsErr)
		t.Queues = append(t.Queues, vhost.DurableQueue{
			ID: r.ID, QueueSpec: vhost.QueueSpec{Name: r.Name, Durable: true, AutoDelete: r.AutoDelete, Args: args},
		})
	}
	return err
}

func (v *VHost) readBindings(tx *bbolt.Tx, t *vhost.Topology) error {
	records, err := listIn[bindingRecord](tx, v.name, bindingsBucket)
	for _, r := range records {
		args, argsErr := r.Arguments.decode()
		err = errors.Join(err, argsErr)
		t.Bindings = append(t.Bindings, vhost.BindingSpec{
			Source: r.Source, Destination: r.Destination, ToExchange: r.ToExchange, Key: r.Key, Args: args,
		})
	}
	return err
}

// Known returns a function that says whether a durable queue has this id. It
// answers by what is stored now.
func (v *VHost) Known() (func(queue uint64) bool, error) {
	ids := make(map[uint64]bool)
	err := v.store.db.View(func(tx *bbolt.Tx) error {
		records, err := listIn[queueRecord](tx, v.name, queuesBucket)
		for _, r := range records {
			ids[r.ID] = true
		}
		return err
	})
	return func(queue uint64) bool { return ids[queue] }, wrap("list queue ids", err)
}

// PutExchange stores an exchange.
func (v *VHost) PutExchange(x vhost.ExchangeSpec) error {
	args, err := encodeArguments(x.Args)
	if err != nil {
		return err
	}
	record := exchangeRecord{Name: x.Name, Type: x.Type, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: args}
	return v.update("store exchange", exchangesBucket, func(b *bbolt.Bucket) error {
		return put(b, x.Name, record)
	})
}

// CreateQueue stores a queue and returns its id, which no other queue of the
// store ever had or will have.
func (v *VHost) CreateQueue(q vhost.QueueSpec) (id uint64, err error) {
	args, err := encodeArguments(q.Args)
	if err != nil {
		return 0, err
	}
	err = v.update("store queue", queuesBucket, func(b *bbolt.Bucket) error {
		if id, err = b.Tx().Bucket(vhostsBucket).NextSequence(); err != nil {
			return err
		}
		return put(b, q.Name, queueRecord{ID: id, Name: q.Name, AutoDelete: q.AutoDelete, Arguments: args})
	})
	return id, err
}

// PutBinding stores a binding.
func (v *VHost) PutBinding(spec vhost.BindingSpec) error {
	key, text, err := encodeBinding(spec)
	if err != nil {
		return err
	}
	return v.update("store binding", bindingsBucket, func(b *bbolt.Bucket) error { return b.Put(key, text) })
}

// DeleteBinding forgets a binding.
func (v *VHost) DeleteBinding(spec vhost.BindingSpec) error {
	key, _, err := encodeBinding(spec)
	if err != nil {
		return err
	}
	return v.update("delete binding", bindingsBucket, func(b *bbolt.Bucket) error { return b.Delete(key) })
}

// encodeBinding returns the record of a binding and its key. All of a binding is
// its identity, so the key is the record's hash.
func encodeBinding(spec vhost.BindingSpec) (key, text []byte, err error) {
	args, err := encodeArguments(spec.Args)
	if err != nil {
		return nil, nil, err
	}
	text, err = json.Marshal(bindingRecord{
		Source: spec.Source, Destination: spec.Destination, ToExchange: spec.ToExchange, Key: spec.Key, Arguments: args,
	})
	sum := sha256.Sum256(text)
	return sum[:], text, wrap("encode binding", err)
}

// DeleteExchange forgets an exchange and all bindings from and to it.
func (v *VHost) DeleteExchange(name string) error {
	return v.deleteEnd("delete exchange", exchangesBucket, name, func(b bindingRecord) bool {
		return b.Source == name || b.ToExchange && b.Destination == name
	})
}

// DeleteQueue forgets a queue and all bindings to it.
func (v *VHost) DeleteQueue(name string) error {
	return v.deleteEnd("delete queue", queuesBucket, name, func(b bindingRecord) bool {
		return !b.ToExchange && b.Destination == name
	})
}

// deleteEnd forgets one end of bindings, and those of them that touch it.
func (v *VHost) deleteEnd(doing string, part []byte, name string, touches func(bindingRecord) bool) error {
	return v.update(doing, part, func(b *bbolt.Bucket) error {
		bindings, err := bucketIn(b.Tx(), v.name, bindingsBucket)
		if err != nil {
			return err
		}
		var gone [][]byte
		err = bindings.ForEach(func(key, text []byte) error {
			var r bindingRecord
			if err := json.Unmarshal(text, &r); err != nil {
				return fmt.Errorf("decode binding: %w", err)
			}
			if touches(r) {
				gone = append(gone, key)
			}
			return nil
		})
		for _, key := range gone {
			err = errors.Join(err, bindings.Delete(key))
		}
		return errors.Join(err, b.Delete([]byte(name)))
	})
}

// update changes one bucket of the virtual host.
func (v *VHost) update(doing string, part []byte, change func(*bbolt.Bucket) error) error {
	return wrap(doing, v.store.db.Update(func(tx *bbolt.Tx) error {
		b, err := bucketIn(tx, v.name, part)
		if err != nil {
			return err
		}
		return change(b)
	}))
}
