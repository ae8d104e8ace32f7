# Runs a phase's script under circumstances that differ from the usual ones.
#   vary.sh SCRIPT ASPECT…
# The container is already a varied one: host name, user, memory, time zone and environment are none of this file's.
# run-phase.sh calls it in the script's place, since what comes before would be undone there, such as the umask.
set -eu

script=$1
shift
here=/build/vary

for aspect; do
    case $aspect in
        umask) umask 0002 ;;
        time) export VARY_SECONDS=34410180 ;; # 398 days, 6 hours and 23 minutes: another year, month, day and hour
        order) export VARY_ORDER=1 ;;
        cpus) export VARY_PROCESSORS=1 ;;
        jobs) export VARY_DELAY=150 ;;
        locale)
            # The build root has no locale but C. This one has its rules, and another name for all who ask for that.
            mkdir -p "$here/locale"
            if [ -d /usr/lib/locale/C.utf8 ]; then cp -R /usr/lib/locale/C.utf8 "$here/locale/et_EE.utf8"; fi
            export LOCPATH="$here/locale" LC_ALL=et_EE.UTF-8 LANG=et_EE.UTF-8 LANGUAGE=et_EE:et
            ;;
    esac
done

case " $* " in
    *' time '* | *' order '* | *' cpus '* | *' jobs '*)
        # /usr/bin/cc itself: the wrapper's turn comes with the phase.
        if /usr/bin/cc -O2 -shared -fPIC -o "$here/vary.so.new" "$here/vary.c" -ldl; then
            mv "$here/vary.so.new" "$here/vary.so"
            export LD_PRELOAD="$here/vary.so"
        fi
        ;;
esac

case " $* " in
    *' kernel '*) if setarch --uname-2.6 true; then exec setarch --uname-2.6 /bin/sh "$script"; fi ;;
esac
exec /bin/sh "$script"
