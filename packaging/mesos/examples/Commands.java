import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import org.apache.mesos.MesosSchedulerDriver;
import org.apache.mesos.Protos.*;
import org.apache.mesos.Scheduler;
import org.apache.mesos.SchedulerDriver;

/** Runs a command several times on a cluster: Commands.java MASTER NUMBER COMMAND */
public class Commands implements Scheduler {
    private static final Map<String, Double> NEEDS = Map.of("cpus", 0.1, "mem", 32.0);
    private final Queue<String> waiting = new ArrayDeque<>();
    private final String command;
    private int left;

    private Commands(int number, String command) {
        this.command = command;
        left = number;
        for (int i = 0; i < number; i++) waiting.add("task-" + i);
    }

    public static void main(String[] arguments) {
        Commands scheduler = new Commands(Integer.parseInt(arguments[1]), arguments[2]);
        // The user is who runs this.
        FrameworkInfo info = FrameworkInfo.newBuilder().setUser("").setName("commands in Java").build();
        Status status = new MesosSchedulerDriver(scheduler, info, arguments[0]).run();
        System.exit(status == Status.DRIVER_STOPPED ? 0 : 1);
    }

    @Override
    public void registered(SchedulerDriver driver, FrameworkID id, MasterInfo master) {
        System.out.println("registered as " + id.getValue());
    }

    @Override
    public void resourceOffers(SchedulerDriver driver, List<Offer> offers) {
        for (Offer offer : offers) {
            Map<String, Double> free = new HashMap<>();
            for (Resource resource : offer.getResourcesList()) {
                free.put(resource.getName(), resource.getScalar().getValue());
            }
            List<TaskInfo> tasks = new ArrayList<>();
            while (!waiting.isEmpty()
                    && NEEDS.entrySet().stream().allMatch(need -> free.getOrDefault(need.getKey(), 0.0) >= need.getValue())) {
                TaskInfo.Builder task = TaskInfo.newBuilder().setName("command").setSlaveId(offer.getSlaveId());
                task.getTaskIdBuilder().setValue(waiting.remove());
                task.getCommandBuilder().setValue(command);
                NEEDS.forEach((name, needed) -> {
                    task.addResourcesBuilder().setName(name).setType(Value.Type.SCALAR).getScalarBuilder().setValue(needed);
                    free.merge(name, -needed, Double::sum);
                });
                tasks.add(task.build());
            }
            driver.launchTasks(List.of(offer.getId()), tasks); // With no tasks: declined.
        }
    }

    @Override
    public void statusUpdate(SchedulerDriver driver, TaskStatus status) {
        System.out.println(status.getTaskId().getValue() + " " + status.getState() + " " + status.getMessage());
        switch (status.getState()) {
            case TASK_FINISHED:
                if (--left == 0) driver.stop();
                break;
            case TASK_FAILED: case TASK_KILLED: case TASK_LOST: case TASK_ERROR:
                waiting.add(status.getTaskId().getValue());
                break;
            default:
        }
    }

    @Override
    public void error(SchedulerDriver driver, String message) {
        System.err.println("error: " + message);
    }

    @Override public void reregistered(SchedulerDriver driver, MasterInfo master) {}
    @Override public void disconnected(SchedulerDriver driver) {}
    @Override public void offerRescinded(SchedulerDriver driver, OfferID offer) {}
    @Override public void frameworkMessage(SchedulerDriver driver, ExecutorID executor, SlaveID agent, byte[] data) {}
    @Override public void slaveLost(SchedulerDriver driver, SlaveID agent) {}
    @Override public void executorLost(SchedulerDriver driver, ExecutorID executor, SlaveID agent, int status) {}
}
