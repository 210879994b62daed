package telemetry_test

import (
	"flag"
	"os"
	"reflect"
	"testing"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestGolden reads a batch as it may lie in a spool or a journal from before an
// upgrade. A new version may encode differently; it must go on reading this.
func TestGolden(t *testing.T) {
	const file = "testdata/batch.rw2.snappy"
	if *update {
		if err := os.WriteFile(file, (&telemetry.Encoder{}).Encode(batch()).Body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(&bus.Message{
		ContentType: "application/x-protobuf;proto=io.prometheus.write.v2.Request", ContentEncoding: "snappy", Body: body,
	})
	if err != nil || !reflect.DeepEqual(got, batch().Series) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, batch().Series)
	}
}
