package vhost

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"thump/broker/amqp"
	"thump/broker/journal"
)

// DefaultMemoryBudget is the MemoryBudget of a Config that names none, in bytes.
const DefaultMemoryBudget = 64 << 20

// Config describes a virtual host.
type Config struct {
	Name         string
	MemoryBudget int64        // of message bodies held in memory, bytes; default DefaultMemoryBudget. Beyond it durable messages wait on disk only
	Logger       *slog.Logger // default: discards
	Unreadable   func()       // called for each message that is dropped because the journal has lost it; must not block nor call the VHost
}

// VHost is a virtual host. All methods may be called from any goroutine, but not
// from within a Receiver.
type VHost struct {
	// static after construction
	cfg     Config
	defs    Definitions
	journal *journal.Journal // nil: nothing is durable
	log     *slog.Logger

	// replaced under mu, read without it
	exchanges atomic.Pointer[hamt[*exchange]]
	queues    atomic.Pointer[hamt[*Queue]]

	limits atomic.Pointer[Limits]

	patience atomic.Int64 // ms: the shortest that a queue or consumer ever had
	hot      atomic.Int64 // bytes of stored messages
	totals   totals

	life   sync.RWMutex // held for reading while a timer's function runs
	closed bool         // no timer's function runs any more; guarded by life

	mu       sync.Mutex // serializes changes of what exists, disk writes included
	policies policies   // guarded by mu
}

// Definitions keeps what must survive a restart. Every change is on disk when
// the method returns. Deleting an exchange or a queue deletes its bindings.
type Definitions interface {
	Topology() (Topology, error)
	PutExchange(ExchangeSpec) error
	DeleteExchange(name string) error
	CreateQueue(QueueSpec) (id uint64, err error) // id is positive and never used again
	DeleteQueue(name string) error
	PutBinding(BindingSpec) error
	DeleteBinding(BindingSpec) error
}

// Topology is all the durable definitions of a virtual host.
type Topology struct {
	Exchanges []ExchangeSpec
	Queues    []DurableQueue
	Bindings  []BindingSpec
}

// DurableQueue is a queue and its id in the journal.
type DurableQueue struct {
	ID uint64
	QueueSpec
}

// volatile are the Definitions of a virtual host that forgets.
type volatile struct{}

func (volatile) Topology() (Topology, error)           { return Topology{}, nil }
func (volatile) PutExchange(ExchangeSpec) error        { return nil }
func (volatile) DeleteExchange(string) error           { return nil }
func (volatile) CreateQueue(QueueSpec) (uint64, error) { return 0, nil }
func (volatile) DeleteQueue(string) error              { return nil }
func (volatile) PutBinding(BindingSpec) error          { return nil }
func (volatile) DeleteBinding(BindingSpec) error       { return nil }

// New returns a virtual host with what definitions and journal remember. Either
// may be nil: then nothing is durable.
func New(cfg Config, defs Definitions, j *journal.Journal) (*VHost, error) {
	cfg.MemoryBudget = cmp.Or(cfg.MemoryBudget, DefaultMemoryBudget)
	v := &VHost{cfg: cfg, defs: defs, journal: j, log: cfg.Logger}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	if v.cfg.Unreadable == nil {
		v.cfg.Unreadable = func() {}
	}
	if v.defs == nil {
		v.defs = volatile{}
	}
	v.exchanges.Store(&hamt[*exchange]{})
	v.queues.Store(&hamt[*Queue]{})
	v.limits.Store(&Limits{})
	v.patience.Store(unlimited)
	v.predeclare()
	if err := v.restore(); err != nil {
		return nil, fmt.Errorf("restore vhost %q: %w", cfg.Name, err)
	}
	return v, nil
}

// predeclare adds the exchanges that every virtual host has, AMQP 0-9-1 §3.1.3.
func (v *VHost) predeclare() {
	v.addExchange(newExchange(ExchangeSpec{Type: "direct", Durable: true}, defaultMatcher{v}))
	for _, name := range []string{"direct", "fanout", "topic", "headers"} {
		v.addExchange(newExchange(ExchangeSpec{Name: "amq." + name, Type: name, Durable: true}, newMatcher(name)))
	}
	match := ExchangeSpec{Name: "amq.match", Type: "headers", Durable: true}
	v.addExchange(newExchange(match, newMatcher("headers")))
}

// restore brings back the durable definitions and the messages in the journal.
func (v *VHost) restore() error {
	t, err := v.defs.Topology()
	if err != nil {
		return fmt.Errorf("load definitions: %w", err)
	}
	for _, spec := range t.Exchanges {
		m, err := matcherFor(spec)
		if err != nil {
			return fmt.Errorf("stored exchange %q: %w", spec.Name, err)
		}
		v.addExchange(newExchange(spec, m))
	}
	for _, stored := range t.Queues {
		rules, err := parseQueueRules(v.text("queue", stored.Name), stored.QueueSpec)
		if err != nil {
			return fmt.Errorf("stored queue %q: %w", stored.Name, err)
		}
		q := v.newQueue(stored.QueueSpec, rules, stored.ID, nil)
		q.recover()
		v.addQueue(q)
	}
	for _, spec := range t.Bindings {
		b, err := v.newBinding(spec, nil)
		if err != nil {
			return fmt.Errorf("stored binding from %q to %q: %w", spec.Source, spec.Destination, err)
		}
		b.source.attach(b)
	}
	for _, q := range v.queues.Load().all() {
		q.begin()
	}
	return nil
}

// Close stops what expires by itself. Journal and definitions remain the
// caller's.
func (v *VHost) Close() {
	v.life.Lock()
	defer v.life.Unlock()
	v.closed = true
}

// Name returns the name of the virtual host.
func (v *VHost) Name() string { return v.cfg.Name }

// MemoryBytes returns the memory that messages take.
func (v *VHost) MemoryBytes() int64 { return v.hot.Load() }

// Journal returns the journal, which is nil if nothing is durable.
func (v *VHost) Journal() *journal.Journal { return v.journal }

// addExchange expects VHost.mu to be held, but for the start.
func (v *VHost) addExchange(x *exchange) {
	x.apply(v.policies)
	m := v.exchanges.Load().with(x.spec.Name, x)
	v.exchanges.Store(&m)
}

func (v *VHost) addQueue(q *Queue) {
	m := v.queues.Load().with(q.spec.Name, q)
	v.queues.Store(&m)
}

// text names a resource as RabbitMQ's texts do.
func (v *VHost) text(kind, name string) string {
	return fmt.Sprintf("%s '%s' in vhost '%s'", kind, name, v.cfg.Name)
}

func (v *VHost) exchange(name string) (*exchange, error) {
	if x, ok := v.exchanges.Load().get(name); ok {
		return x, nil
	}
	return nil, amqp.ChannelError(amqp.NotFound, "no %s", v.text("exchange", name))
}

func (v *VHost) queue(name string) (*Queue, error) {
	if q, ok := v.queues.Load().get(name); ok {
		return q, nil
	}
	return nil, amqp.ChannelError(amqp.NotFound, "no %s", v.text("queue", name))
}

// queueFor returns a queue if the connection may use it.
func (v *VHost) queueFor(name string, o *Owner) (*Queue, error) {
	q, err := v.queue(name)
	if err != nil {
		return nil, err
	}
	if q.owner != nil && q.owner != o {
		return nil, v.locked(q)
	}
	return q, nil
}

func (v *VHost) locked(q *Queue) error {
	return amqp.ChannelError(amqp.ResourceLocked,
		"cannot obtain exclusive access to locked %s. It could be originally declared on another connection"+
			" or the exclusive property value does not match that of the original declaration.",
		v.text("queue", q.spec.Name))
}

// cleanName drops carriage returns and line feeds, as RabbitMQ does.
func cleanName(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// assertFreeName refuses new names in the space that is the broker's.
func assertFreeName(kind, name string) error {
	if strings.HasPrefix(name, "amq.") {
		return amqp.ChannelError(amqp.AccessRefused, "%s name '%s' contains reserved prefix 'amq.*'", kind, name)
	}
	return nil
}
