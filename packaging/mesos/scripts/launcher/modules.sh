# The agent's modules: the administrator's own, and beside them the isolator of these packages. Sourced by mesos-init-wrapper.
# shellcheck shell=sh

# own_modules NAME: do the administrator's own modules have one of this name?
own_modules() {
	value_of modules
	case $value in
	'') ;;
	/* | file://*) if grep -qsF -e "\"$1\"" "$root${value#file://}"; then return 0; fi ;;
	*) case $value in *"\"$1\""*) return 0 ;; esac ;;
	esac
	value_of modules_dir
	[ -n "$value" ] && grep -rqsF -e "\"$1\"" "$root$value"
}

# parameter KEY FLAG DEFAULT: one of the isolator's, by the agent's flag that means the same for version 1.
parameter() {
	value=$3
	if is_given "$2"; then
		eval "form=\$f_$2 value=\$v_$2"
		case $form/$value in
		on/* | value/true | value/1) value=true ;;
		*) value=false ;;
		esac
	fi
	parameters="$parameters,{\"key\":\"$1\",\"value\":\"$value\"}"
}

# own_text TEXT WHERE: one text of the administrator's own, into the folder of all. Mesos would parse it when it is too late
# for a sentence, so the agent is asked first.
own_text() {
	if [ -x "$program" ]; then
		said=$(MESOS_MODULES=$1 timeout 30 "$program" --zzzz_the_end </dev/null 2>&1 >/dev/null) || :
		case $said in
		*"Failed to load flag 'modules'"*) refuse "$2: mesos-agent does not take this for --modules: it is no JSON, or not of the form that Mesos wants ('Modules' in its documentation)" ;;
		esac
	fi
	"$print" || printf '%s\n' "$1" >"$combined/$number.json"
	number=$((number + 1))
}

# load_cgroups2: have the agent load the isolator. Mesos takes modules from one text or from one folder: where there are
# such of the administrator's own, their copies and ours make a folder.
load_cgroups2() {
	set +f
	for module in "$root"/usr/lib/*/mesos/modules/libcgroups2.so; do :; done # the folder is named after the architecture
	set -f
	[ -e "$module" ] || refuse "libcgroups2.so is not there: install the package mesos-agent"
	parameters="{\"key\":\"root\",\"value\":\"$containers\"}"
	parameter quota cgroups_enable_cfs false
	parameter limit_swap cgroups_limit_swap true
	parameter revocable_low revocable_cpu_low_priority true
	ours="{\"libraries\":[{\"file\":\"${module#"$root"}\",\"modules\":[{\"name\":\"cgroups2\",\"parameters\":[$parameters]}]}]}"

	value_of modules_dir
	folder=$value
	value_of modules
	if [ -z "$folder$value" ]; then
		rank=default
		offer value modules "$ours" 'the default of these packages'
		# No secret is in it.
		eval h_modules=
		return
	fi

	combined=$root/run/mesos/modules
	number=10
	umask_before=$(umask)
	umask 077 # what others write there may be secret
	if ! "$print"; then
		rm -rf "$combined"
		mkdir -p "$root/run/mesos" && chmod 755 "$root/run/mesos" && mkdir "$combined"
	fi
	case $value in
	'') ;;
	/* | file://*)
		source_of modules
		needs_file "--modules=$value" "${value#file://}"
		own_text "$(cat "$root${value#file://}")" "$root${value#file://}"
		;;
	*)
		source_of modules
		own_text "$value" "$where"
		;;
	esac
	if [ -n "$folder" ]; then
		source_of modules_dir
		[ -d "$root$folder" ] || refuse "$where: --modules_dir=$folder is no folder"
		while IFS= read -r file; do
			[ ! -f "$root$folder/$file" ] || own_text "$(cat "$root$folder/$file")" "$root$folder/$file"
		done <<-FILES
			$(ls "$root$folder")
		FILES
	fi
	"$print" || printf '%s\n' "$ours" >"$combined/$number.json"
	umask "$umask_before"
	withdraw modules
	withdraw modules_dir
	rank=default
	offer value modules_dir /run/mesos/modules 'own modules and the isolator cgroups2'
}
