// Command gpx_thump is the backend of the Grafana data source: Grafana starts it
// and speaks with it over gRPC.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"

	"thump/dashboard/grafana/source"
)

func main() {
	if err := datasource.Manage(source.PluginID, source.New, datasource.ManageOpts{}); err != nil {
		fmt.Fprintln(os.Stderr, "gpx_thump:", err)
		os.Exit(1)
	}
}
