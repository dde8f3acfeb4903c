/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads of Java that wait in its ways, each with a name that says how. */
public class Waits {
        interface Wait {
                void run() throws Exception;
        }

        static final Object lock = new Object();

        static void deep(int depth, Wait wait) throws Exception
        {
                if (depth > 0)
                        deep(depth - 1, wait);
                else
                        wait.run();
        }

        static void start(String name, Wait wait)
        {
                Thread thread = new Thread(() -> {
                        try {
                                deep(5, wait);
                        } catch (Exception e) {
                                throw new RuntimeException(e);
                        }
                });

                thread.setName(name);
                thread.setDaemon(true);
                thread.start();
        }

        static void waitForever() throws Exception
        {
                synchronized (Waits.class) {
                        Waits.class.wait();
                }
        }

        static void enter()
        {
                synchronized (lock) {
                        System.out.println("never");
                }
        }

        public static void main(String[] arguments) throws Exception
        {
                synchronized (lock) {
                        start("w-sleep", () -> Thread.sleep(1000000));
                        start("w-wait", Waits::waitForever);
                        start("w-enter", Waits::enter);
                        start("w-park", () -> java.util.concurrent.locks.LockSupport.park());
                        start("w-read", () -> System.in.read());
                        System.out.println("ready");
                        Thread.sleep(1000000);
                }
        }
}
