package dynamodbd

import (
	"cmp"
	"slices"
	"strings"
)

// kinds gives the types of the defined attributes by name.
func kinds(definitions []attributeDefinition) (map[string]Kind, error) {
	defined := map[string]Kind{}
	for _, d := range definitions {
		switch d.AttributeType {
		case KindString, KindNumber, KindBinary:
		default:
			return nil, enumError(string(d.AttributeType), "attributeDefinitions.attributeType", "B, N, S")
		}
		if d.AttributeName == "" || len(d.AttributeName) > 255 {
			return nil, invalidParam("AttributeName must be 1 to 255 bytes long")
		}
		if defined[d.AttributeName] != "" {
			return nil, invalidParam("Duplicate AttributeName in AttributeDefinitions: %s", d.AttributeName)
		}
		defined[d.AttributeName] = d.AttributeType
	}
	return defined, nil
}

// newKey gives the key that a KeySchema parameter describes.
func newKey(elements []keyElement, defined map[string]Kind) (keySchema, error) {
	var k keySchema
	switch {
	case len(elements) == 0:
		return k, invalid("1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be null")
	case len(elements) > 2:
		return k, invalid("1 validation error detected: Value at 'keySchema' failed to satisfy constraint: " +
			"Member must have length less than or equal to 2")
	case elements[0].KeyType != "HASH":
		return k, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(elements) == 2 && elements[1].KeyType != "RANGE":
		return k, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	case len(elements) == 2 && elements[0].AttributeName == elements[1].AttributeName:
		return k, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	for i, e := range elements {
		kind, ok := defined[e.AttributeName]
		if !ok {
			return k, invalidParam("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
				e.AttributeName, strings.Join(sortedKeys(defined), ", "))
		}
		a := keyAttribute{e.AttributeName, kind}
		if i == 0 {
			k.hash = a
		} else {
			k.sort = a
		}
	}
	return k, nil
}

func sortedKeys[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkAllUsed refuses attributes that are defined but in no key.
func checkAllUsed(defined map[string]Kind, keys []keySchema) error {
	for name := range defined {
		if !slices.ContainsFunc(keys, func(k keySchema) bool { return k.has(name) }) {
			return invalidParam("Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]",
				strings.Join(sortedKeys(defined), ", "), strings.Join(keyNames(keys), ", "))
		}
	}
	return nil
}

func keyNames(keys []keySchema) []string {
	var names []string
	for _, k := range keys {
		for _, a := range k.attributes() {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// indexSpec is a global secondary index to be made.
type indexSpec struct {
	IndexName             string
	KeySchema             []keyElement
	Projection            *projection
	ProvisionedThroughput *throughput
}

func (spec indexSpec) build(defined map[string]Kind, onDemandTable bool) (*index, error) {
	if err := checkTableName("globalSecondaryIndexes.indexName", spec.IndexName); err != nil {
		return nil, err
	}
	key, err := newKey(spec.KeySchema, defined)
	if err != nil {
		return nil, err
	}
	if spec.Projection == nil || spec.Projection.ProjectionType == "" {
		return nil, invalidParam("Unknown ProjectionType: null")
	}
	p := *spec.Projection
	if err := checkEnum("projection.projectionType", p.ProjectionType, projectAll, projectKeys, projectNamed); err != nil {
		return nil, err
	}
	if named := p.ProjectionType == projectNamed; named != (len(p.NonKeyAttributes) > 0) {
		return nil, invalidParam("ProjectionType is %s, but NonKeyAttributes is %s", p.ProjectionType,
			map[bool]string{true: "not specified", false: "specified"}[named])
	}
	ix := &index{name: spec.IndexName, key: key, projection: p}
	ix.throughput, err = throughputFor(onDemandTable, spec.ProvisionedThroughput)
	return ix, err
}

// throughputFor checks that there is a throughput if, and only if, it is paid
// for.
func throughputFor(onDemandTable bool, asked *throughput) (throughput, error) {
	switch {
	case onDemandTable && asked != nil && cmp.Or(asked.ReadCapacityUnits, asked.WriteCapacityUnits) != 0:
		return throughput{}, invalidParam("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case onDemandTable:
		return throughput{}, nil
	case asked == nil:
		return throughput{}, invalidParam("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	case asked.ReadCapacityUnits < 1 || asked.WriteCapacityUnits < 1:
		return throughput{}, invalid("1 validation error detected: Value at 'provisionedThroughput' failed to satisfy constraint: " +
			"Member must have value greater than or equal to 1")
	}
	return *asked, nil
}
