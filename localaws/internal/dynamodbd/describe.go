package dynamodbd

import "time"

// The parts of table descriptions and of the requests that make tables.
type (
	attributeDefinition struct {
		AttributeName string
		AttributeType Kind
	}

	keyElement struct {
		AttributeName string
		KeyType       string
	}

	projection struct {
		ProjectionType   string
		NonKeyAttributes []string `json:"NonKeyAttributes,omitempty"`
	}

	throughput struct {
		ReadCapacityUnits  int64
		WriteCapacityUnits int64
	}

	throughputDescription struct {
		throughput

		NumberOfDecreasesToday int64
	}

	billingSummary struct {
		BillingMode                       string
		LastUpdateToPayPerRequestDateTime float64
	}

	indexDescription struct {
		IndexName             string
		KeySchema             []keyElement
		Projection            projection
		IndexStatus           string
		Backfilling           bool `json:"Backfilling,omitempty"`
		ProvisionedThroughput throughputDescription
		IndexSizeBytes        int
		ItemCount             int
		IndexArn              string
	}

	tableDescription struct {
		AttributeDefinitions      []attributeDefinition
		TableName                 string
		KeySchema                 []keyElement
		TableStatus               string
		CreationDateTime          float64
		ProvisionedThroughput     throughputDescription
		TableSizeBytes            int
		ItemCount                 int
		TableArn                  string
		TableId                   string
		BillingModeSummary        *billingSummary    `json:"BillingModeSummary,omitempty"`
		GlobalSecondaryIndexes    []indexDescription `json:"GlobalSecondaryIndexes,omitempty"`
		DeletionProtectionEnabled bool
	}
)

const (
	onDemand    = "PAY_PER_REQUEST"
	provisioned = "PROVISIONED"
)

const (
	statusActive   = "ACTIVE"
	statusCreating = "CREATING"
	statusUpdating = "UPDATING"
	statusDeleting = "DELETING"
)

// seconds is a time as the API writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (k keySchema) elements() []keyElement {
	elements := []keyElement{{k.hash.name, "HASH"}}
	if k.sort.name != "" {
		elements = append(elements, keyElement{k.sort.name, "RANGE"})
	}
	return elements
}

func (t *table) status(now time.Time) string {
	switch {
	case now.Before(t.activeAt):
		return statusCreating
	case t.building(now) != nil:
		return statusUpdating
	default:
		return statusActive
	}
}

func (t *table) describe(now time.Time) tableDescription {
	d := tableDescription{
		AttributeDefinitions:      t.definitions,
		TableName:                 t.name,
		KeySchema:                 t.key.elements(),
		TableStatus:               t.status(now),
		CreationDateTime:          seconds(t.created),
		ProvisionedThroughput:     throughputDescription{throughput: t.billing.throughput},
		TableSizeBytes:            t.rows.size(),
		ItemCount:                 len(t.rows.list),
		TableArn:                  t.arn,
		TableId:                   t.id,
		DeletionProtectionEnabled: t.protected,
	}
	if !t.billing.onDemandAt.IsZero() {
		d.BillingModeSummary = &billingSummary{onDemand, seconds(t.billing.onDemandAt)}
	}
	for _, ix := range t.indexes {
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, ix.describe(now, t))
	}
	return d
}

func (ix *index) describe(now time.Time, t *table) indexDescription {
	d := indexDescription{
		IndexName:             ix.name,
		KeySchema:             ix.key.elements(),
		Projection:            ix.projection,
		IndexStatus:           statusActive,
		ProvisionedThroughput: throughputDescription{throughput: ix.throughput},
		IndexSizeBytes:        ix.rows.size(),
		ItemCount:             len(ix.rows.list),
		IndexArn:              t.arn + "/index/" + ix.name,
	}
	if now.Before(ix.activeAt) {
		d.IndexStatus = statusCreating
		d.Backfilling = !now.Before(t.activeAt)
	}
	return d
}
