package kinesisd

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	minRetentionHours = 24
	maxRetentionHours = 8760
	maxTags           = 50
)

type retentionInput struct {
	streamRef

	RetentionPeriodHours *int64
}

func (in *retentionInput) check(k *checker) {
	required(k, "retentionPeriodHours", in.RetentionPeriodHours)
	k.number("retentionPeriodHours", in.RetentionPeriodHours, 1, maxRetentionHours)
}

func (in *retentionInput) resolve(k *checker) (string, error) {
	name, err := in.streamRef.resolve(k)
	if err == nil && *in.RetentionPeriodHours < minRetentionHours {
		return "", invalidArgument("Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.",
			minRetentionHours, *in.RetentionPeriodHours)
	}
	return name, err
}

func (s *Server) increaseRetention(c *call, in *retentionInput, st *stream) error {
	return s.changeRetention(c, in, st, true)
}

func (s *Server) decreaseRetention(c *call, in *retentionInput, st *stream) error {
	return s.changeRetention(c, in, st, false)
}

// changeRetention lets records that a longer retention would have kept stay
// gone.
func (s *Server) changeRetention(c *call, in *retentionInput, st *stream, increase bool) error {
	hours, current := *in.RetentionPeriodHours, st.retentionHours()
	if increase && hours < current {
		return invalidArgument("Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours)."+
			" Use DecreaseRetentionPeriod API.", hours, st.name, current)
	}
	if !increase && hours > current {
		return invalidArgument("Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours)."+
			" Use IncreaseRetentionPeriod API.", hours, st.name, current)
	}
	st.during(statusUpdating, c.now, s.options.Delay, func(time.Time) { st.retention = time.Duration(hours) * time.Hour })
	return nil
}

func checkTags(k *checker, tags map[string]string) {
	if len(tags) > maxTags {
		k.fault("'{...}'", "tags", fmt.Sprintf("Member must have length less than or equal to %d", maxTags))
		return
	}
	for key, value := range tags {
		k.text("tags.key", &key, 1, 128, pattern{})
		k.text("tags.value", &value, 0, 256, pattern{})
	}
}

type addTagsInput struct {
	streamRef

	Tags map[string]string
}

func (in *addTagsInput) check(k *checker) {
	if in.Tags == nil {
		k.fault("null", "tags", "Member must not be null")
	}
	checkTags(k, in.Tags)
}

func (s *Server) addTags(_ *call, in *addTagsInput, st *stream) error {
	all := maps.Clone(st.tags)
	maps.Copy(all, in.Tags)
	if len(all) > maxTags {
		return invalidArgument("Failed to add tags to stream %s under account %s because a given stream cannot have more than %d tags associated with it.",
			st.name, s.options.Account, maxTags)
	}
	st.tags = all
	return nil
}

type removeTagsInput struct {
	streamRef

	TagKeys []string
}

func (in *removeTagsInput) check(k *checker) {
	if in.TagKeys == nil {
		k.fault("null", "tagKeys", "Member must not be null")
	}
	for _, key := range in.TagKeys[:min(len(in.TagKeys), maxTags)] {
		k.text("tagKeys", &key, 1, 128, pattern{})
	}
	if len(in.TagKeys) > maxTags {
		k.fault("'[...]'", "tagKeys", fmt.Sprintf("Member must have length less than or equal to %d", maxTags))
	}
}

func (s *Server) removeTags(_ *call, in *removeTagsInput, st *stream) error {
	for _, key := range in.TagKeys {
		delete(st.tags, key)
	}
	return nil
}

type listTagsInput struct {
	streamRef

	ExclusiveStartTagKey *string
	Limit                *int64
}

type tag struct{ Key, Value string }

func (in *listTagsInput) check(k *checker) {
	k.text("exclusiveStartTagKey", in.ExclusiveStartTagKey, 1, 128, pattern{})
	k.number("limit", in.Limit, 1, maxTags)
}

func (s *Server) listTags(_ *call, in *listTagsInput, st *stream) (any, error) {
	keys := slices.Sorted(maps.Keys(st.tags))
	if in.ExclusiveStartTagKey != nil {
		keys = slices.DeleteFunc(keys, func(key string) bool { return key <= *in.ExclusiveStartTagKey })
	}
	most := len(keys)
	if in.Limit != nil {
		most = int(min(int64(most), *in.Limit))
	}
	tags := make([]tag, 0, most)
	for _, key := range keys[:most] {
		tags = append(tags, tag{key, st.tags[key]})
	}
	return struct {
		Tags        []tag
		HasMoreTags bool
	}{tags, most < len(keys)}, nil
}
