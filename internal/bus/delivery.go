package bus

// NewDelivery returns a delivery of m that is settled by the two functions: for
// a bus that is not of this package, such as one in memory.
func NewDelivery(m Message, ack func(multiple bool) error, reject func() error) *Delivery {
	return &Delivery{Message: m, settle: settleFuncs{ack, reject}}
}

type settleFuncs struct {
	onAck    func(multiple bool) error
	onReject func() error
}

func (s settleFuncs) ack(_ uint64, multiple bool) error { return s.onAck(multiple) }

func (s settleFuncs) reject(uint64) error { return s.onReject() }
