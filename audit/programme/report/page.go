package report

import "github.com/cloudopsec/opsec/internal/htmlreport"

func (d *Document) page() *htmlreport.Page { return &htmlreport.Page{} }
